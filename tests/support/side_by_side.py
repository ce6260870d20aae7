"""Tests side by side (``pytest -n 2``): files to processes, and the machine to one.

The tests of a file run in one process, after each other, so they share what the file
makes; those that start Ray are all in one, since two clusters would each take all
cores. A test marked ``alone`` measures what a neighbour would disturb, the time of the
processor or of the clock: it waits until no other test runs, and none begins meanwhile.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent

# These take longest: begun first, none of them is what all others wait for at the end.
FIRST = (
    "test_training_parallel.py",
    "test_photo_states.py",
    "test_training.py",
    "test_photo_look.py",
    "test_benchmarks.py",
    "test_photo_ranking.py",
    "test_desk_page.py",
    "test_cli.py",
    "test_cli_suggest.py",
    "test_judging_kills.py",
    "test_train_your_own.py",
    "test_door_fuzz.py",
)
RAY = ("test_label_on_ray.py", "test_ray_engine.py")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    if config.getvalue("dist") not in ("load", "loadfile"):  # "load" is what -n says
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = Path(super()._split_scope(nodeid)).name
            return "Ray" if file in RAY else file

    config.option.loadscopereorder = False  # not by the number of tests, but as below
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if _is_neighbour():
        items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    name = item.path.name
    return FIRST.index(name) if name in FIRST else len(FIRST)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    if not _is_neighbour():
        return (yield)
    with _machine(for_one=item.get_closest_marker("alone") is not None):
        return (yield)


def _is_neighbour() -> bool:
    """Whether other processes run tests beside this one."""
    return "PYTEST_XDIST_WORKER" in os.environ


@contextmanager
def _machine(for_one: bool) -> Iterator[None]:
    """Hold the machine with others or alone; who waits for it is next."""
    with _opened(HERE) as door, _opened(Path(__file__)) as room:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if for_one else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        try:
            yield
        finally:
            # Said, not left to the closing: what the test has forked has it open too.
            fcntl.flock(room, fcntl.LOCK_UN)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
