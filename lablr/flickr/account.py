"""The account that Lablr may change: a token, in a private file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lablr.errors import PushError
from lablr.system.private_file import read_private
from lablr.system.whole_file import refused_as, write_bytes

_HOW = "sign in with: lablr push --sign-in"


@dataclass(frozen=True)
class Account:
    """A person who signed in, and their token, which its ``repr`` hides."""

    nsid: str
    username: str
    token: str = field(repr=False)
    secret: str = field(repr=False)

    def hidden_in(self, text: str) -> str:
        """Return a text from outside without the token and its secret."""
        return text.replace(self.token, "***").replace(self.secret, "***")


def account_file(state: Path) -> Path:
    """Return where the token is kept in Lablr's state folder."""
    return state / "flickr-account"


def keep_account(account: Account, state: Path) -> None:
    """Write the account to a file of mode 600; raises PushError when it cannot be."""
    path, text = account_file(state), json.dumps(asdict(account)) + "\n"
    with refused_as(PushError, path):
        state.mkdir(parents=True, exist_ok=True)
        write_bytes(path, text.encode(), private=True)


def read_account(state: Path) -> Account:
    """Return the account that is signed in; raise PushError when none is."""
    path = account_file(state)
    if not path.exists():
        raise PushError(f"nobody is signed in to Flickr; {_HOW}")
    try:
        values = json.loads(read_private(path, PushError))
        account = Account(**values)
        if not all(isinstance(v, str) and v for v in asdict(account).values()):
            raise ValueError(values.keys())
    except (ValueError, TypeError, RecursionError):
        # The file's text must not become part of a message.
        raise PushError(f"{path}: damaged; {_HOW}") from None
    return account


def forget_account(state: Path) -> bool:
    """Remove the token; return whether there was one. Raises PushError."""
    path = account_file(state)
    with refused_as(PushError, path, "cannot be removed"):
        existed = path.exists()
        path.unlink(missing_ok=True)
        # A killed process may have left it.
        path.with_name(path.name + ".partial").unlink(missing_ok=True)
    return existed
