#!/usr/bin/env python3
"""Write constraints.txt: the version of every package in this environment.

The Makefile installs within these constraints, so that two machines test, check
and serve with the same versions (``make lock`` renews them).
"""

from __future__ import annotations

from importlib.metadata import distributions
from pathlib import Path

CONSTRAINTS = Path(__file__).parent.parent / "constraints.txt"

HEADING = """\
# Written by `make lock`: what the Makefile installs. torch and torchvision are
# pinned as a pair (docs: lablr/training/torchvision_import.py); the other versions need
# Python 3.11, an older Python takes what setup.cfg allows.
"""

PAIR = ("torch", "torchvision")
LEFT_OUT = ("lablr", "pip")


def constraints() -> str:
    """Return the file's text: ``name==version`` in order of the names."""
    versions = {
        # "2.13.0+cpu" is one build of 2.13.0, not to be had everywhere.
        distribution.name.lower(): distribution.version.partition("+")[0]
        for distribution in distributions()
    }
    lines = [
        f"{name}=={version}"
        + ("" if name in PAIR else ' ; python_version >= "3.11"')
        + "\n"
        for name, version in sorted(versions.items())
        if name not in LEFT_OUT
    ]
    return HEADING + "".join(lines)


if __name__ == "__main__":
    CONSTRAINTS.write_text(constraints(), encoding="utf-8")
