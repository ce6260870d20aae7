"""Raters: who they are, and the passwords of those who have one."""

from __future__ import annotations

import unicodedata
from functools import cache

from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash, generate_password_hash

from lablr.annotation.database.tables import Rater
from lablr.errors import JudgementError

__all__ = ["add_rater", "find_rater", "may_sign_in"]

MAX_NAME = 60
MAX_PASSWORD = 1024


def add_rater(session: Session, name: str, password: str | None) -> str:
    """Enter a rater, or give one a new password; returns the name as it is kept.

    Without a password a rater who is there already keeps theirs. Hashes are
    scrypt's (RFC 7914), with Werkzeug's cost. Raises `JudgementError` for a name
    that is empty, too long or not printable.
    """
    kept = _normal(name)
    rater = session.scalars(select(Rater).where(Rater.name == kept)).first()
    if rater is None:
        rater = Rater(name=kept, password_hash=None)
        session.add(rater)
    if password is not None:
        if not 0 < len(password) <= MAX_PASSWORD:
            raise JudgementError(f"a password has 1 to {MAX_PASSWORD:,} characters")
        rater.password_hash = generate_password_hash(password)
    return kept


def may_sign_in(session: Session, name: str, password: str | None) -> bool:
    """Whether there is such a rater, and the password is theirs.

    Takes as long for an unknown name as for a wrong password, and compares hashes
    in constant time.
    """
    given = (password or "")[:MAX_PASSWORD]
    try:
        query = select(Rater).where(Rater.name == _normal(name))
        rater = session.scalars(query).first()
    except JudgementError:
        rater = None
    if rater is not None and rater.password_hash is None:
        return True
    kept = _hash_of_nobody() if rater is None else rater.password_hash
    matches = check_password_hash(str(kept), given)
    return rater is not None and matches


def find_rater(session: Session, name: str, lock: bool = False) -> int:
    """The id of a rater; raises `JudgementError` when there is none of that name.

    With ``lock``, what else would write for this rater waits until this transaction
    ends. (SQLite lets one writer in at a time, whoever it is.)
    """
    query = select(Rater.id).where(Rater.name == _normal(name))
    found = session.scalars(query.with_for_update() if lock else query).first()
    if found is None:
        raise JudgementError(f"there is no rater {name[:MAX_NAME]!r}")
    return found


@cache
def _hash_of_nobody() -> str:
    return generate_password_hash("nobody's")


def _normal(name: str) -> str:
    """The name without outer spaces, in Unicode's composed form (NFC)."""
    normal = unicodedata.normalize("NFC", name.strip())
    if not normal or len(normal) > MAX_NAME or not normal.isprintable():
        raise JudgementError(
            f"a rater's name has 1 to {MAX_NAME} printable characters: {name[:80]!r}"
        )
    return normal
