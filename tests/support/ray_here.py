"""Ray on this machine, started once: a second start with another home never ends."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lablr.encoders import ray_engine


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A folder for Ray, whose sockets' paths may have 107 bytes, and its home."""
    folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def two_cores(short_folder: Path) -> Iterator[None]:
    """Two actors on this machine, and none of their processes afterwards."""
    os.environ.update(ray_engine.ENVIRONMENT)
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(short_folder))  # Ray keeps a token in ~/.ray
        ray.init(
            "local",
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=100 << 20,
            _temp_dir=str(short_folder),
            log_to_driver=False,
        )
    yield
    ray.shutdown()
    assert processes_of(short_folder) == []


def processes_of(folder: Path) -> list[str]:
    """The commands of all processes that were told of a folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = place.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has ended
        if str(folder) in command:
            found.append(command)
    return found
