"""Raters: their names, and the passwords of those who have one."""

from __future__ import annotations

import unicodedata
from functools import cache

from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash, generate_password_hash

from lablr.annotation.database.tables import Rater
from lablr.annotation.database.transactions import Transactions
from lablr.errors import JudgementError

MAX_NAME = 60
MAX_PASSWORD = 1024


class Raters(Transactions):
    """The people who may rate."""

    def add_rater(self, name: str, password: str | None = None) -> str:
        """Enter a rater, or give one a new password; returns the name as stored.

        Without a password an existing rater keeps theirs. Hashes are scrypt's (RFC
        7914), with Werkzeug's cost. Raises `JudgementError` for a name that is empty,
        too long or not printable, or a password that cannot be one.
        """
        if password is not None and not 0 < len(password) <= MAX_PASSWORD:
            raise JudgementError(f"a password has 1 to {MAX_PASSWORD:,} characters")
        normal = _normal(name)
        with self.writing() as session:
            rater = session.scalars(select(Rater).where(Rater.name == normal)).first()
            if rater is None:
                rater = Rater(name=normal, password_hash=None)
                session.add(rater)
            if password is not None:
                rater.password_hash = generate_password_hash(password)
        return normal

    def may_sign_in(self, name: str, password: str | None = None) -> bool:
        """Say whether the rater exists, and the password is theirs if they have one.

        Takes as long for an unknown name as for a wrong password, and compares hashes
        in constant time.
        """
        with self.reading() as session:
            try:
                query = select(Rater).where(Rater.name == _normal(name))
                rater = session.scalars(query).first()
            except JudgementError:
                rater = None
            stored = None if rater is None else rater.password_hash
        if rater is not None and stored is None:
            return True
        matches = check_password_hash(
            stored or _hash_of_nobody(), (password or "")[:MAX_PASSWORD]
        )
        return rater is not None and matches


def find_rater(session: Session, name: str, lock: bool = False) -> int:
    """Return the id of a rater; raises `JudgementError` for an unknown name.

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
    """Return the name without outer spaces, in Unicode's composed form (NFC)."""
    normal = unicodedata.normalize("NFC", name.strip())
    if not normal or len(normal) > MAX_NAME or not normal.isprintable():
        raise JudgementError(
            f"a rater's name has 1 to {MAX_NAME} printable characters: {name[:80]!r}"
        )
    return normal
