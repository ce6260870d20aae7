"""PostgreSQL on this machine, started once for all tests that use it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def server_programs() -> Path:
    """The folder of PostgreSQL's programs: Debian keeps them off the PATH."""
    on_path = shutil.which("postgres")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if on_path is None and not found:
        pytest.fail("PostgreSQL is needed: apt-get install postgresql")
    return (Path(on_path) if on_path else found[-1]).parent


def unprivileged() -> dict[str, object]:
    """Arguments of subprocess: the server refuses to run as root."""
    return {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a running server, without a database's name.

    Its folder is not pytest's, into which another user may not look, and its name is
    short: a socket's path has at most 107 characters.
    """
    programs = server_programs()
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    user = unprivileged()
    if user:
        shutil.chown(folder, "nobody", "nogroup")

    def run(program: str, *words: object) -> None:
        subprocess.run(
            [programs / program, "-D", folder / "data", *words],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
            **user,
        )

    options = ["--auth=trust", "--username=lablr", "--encoding=UTF8", "--no-locale"]
    options += ["--no-sync"]
    # Nothing waits for the disk: tests kill processes, and pull no plug.
    waits = "-c fsync=off -c full_page_writes=off"
    settings = f"-k {folder} -c listen_addresses='' {waits}"
    try:
        run("initdb", *options)
        # -w: pg_ctl waits until the server answers.
        run("pg_ctl", "-w", "-l", folder / "log", "-o", settings, "start")
        try:
            yield f"postgresql://lablr@/{{}}?host={folder}"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
