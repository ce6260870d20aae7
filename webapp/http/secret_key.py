"""The secret that signs cookies: made on first use and kept.

It outlasts a restart, so that nobody is signed out by one.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from lablr.system.private_file import read_private
from lablr.system.whole_file import write_bytes
from webapp.state.settings import SettingError

N_BYTES = 32
WAY_OUT = "; set LABLR_SECRET_KEY instead"


def secret_file() -> Path:
    """Return the file of the secret: one for all of a person's servers."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "lablr" / "secret-key"


def kept_secret(path: Path) -> str:
    """Return the secret of a file of mode 600, which is made when there is none.

    Two servers that start at once get the same one. Raises `SettingError` when the
    file cannot be made, is readable by others or holds no secret.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            # A name of its own: two servers may do this at once, and the first stays.
            unfinished = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
            made = f"{secrets.token_hex(N_BYTES)}\n".encode()
            with contextlib.suppress(FileExistsError):
                write_bytes(
                    path, made, private=True, unfinished=unfinished, is_new=True
                )
    except OSError as error:
        raise SettingError(f"{path}: {error.strerror}{WAY_OUT}") from error
    secret = read_private(path, SettingError).strip()
    if len(secret) < N_BYTES:
        raise SettingError(f"{path}: it holds no secret; remove it{WAY_OUT}")
    return secret
