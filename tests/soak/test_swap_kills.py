"""kill -9 while a bundle replaces another: readers find the old one or the new one."""

from __future__ import annotations

from pathlib import Path

from command_line import run_code
from places import SUPPORT


def run_script(code: str, *arguments: object) -> str:
    run = run_code(code, *arguments, cwd=SUPPORT)
    assert run.returncode == 0, run.stderr.decode()
    return run.stdout.decode()


KILLED_AT_EVERY_STEP = """
import os, signal, sys
from pathlib import Path
from bundle_makers import Bundle, small_bundle
folder = Path(sys.argv[1])
old, new = small_bundle("old"), small_bundle("new")
known = {old.digest: "old", new.digest: "new"}
STEPS = ("open", "os.", "shutil.", "fcntl.")

def save_and_die_at(step):
    def count(event, arguments):
        nonlocal step
        if event.startswith(STEPS):
            step -= 1
            if step == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(count)
    new.save(folder)
    os._exit(0)

finished = False
step = 0
while not finished:
    step += 1
    old.save(folder)
    assert sorted(os.listdir(folder.parent)) == [folder.name]
    child = os.fork()
    if child == 0:
        save_and_die_at(step)
    _, status = os.waitpid(child, 0)
    finished = os.WIFEXITED(status)
    print(known[Bundle.load(folder).digest])
"""


def test_killed_at_every_step_the_bundle_is_old_or_new(tmp_path: Path) -> None:
    """Kill a writer before each call to the system that changes the disk."""
    outcomes = run_script(KILLED_AT_EVERY_STEP, tmp_path / "bundle").split()
    # First the old one at every step, then the new one, and never back.
    n_old = outcomes.count("old")
    assert n_old > 10
    assert outcomes == ["old"] * n_old + ["new"] * (len(outcomes) - n_old)
    assert len(outcomes) - n_old > 2


KILLED_AT_RANDOM_MOMENTS = """
import os, random, select, signal, sys
from bundle_makers import Bundle, small_bundle
folder = sys.argv[1]
one, two = small_bundle("one"), small_bundle("two")
one.save(folder)
rng = random.Random(0)
for _ in range(30):
    begun, begin = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(begin, b"!")
        while True:
            two.save(folder)
            one.save(folder)
    os.read(begun, 1)
    select.select([], [], [], rng.uniform(0, 0.03))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert Bundle.load(folder).digest in (one.digest, two.digest)
"""


def test_killed_at_random_moments_the_bundle_is_one_of_two(tmp_path: Path) -> None:
    run_script(KILLED_AT_RANDOM_MOMENTS, tmp_path / "bundle")
