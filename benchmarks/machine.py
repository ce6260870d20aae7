"""The machine that the figures are of."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import lablr
from benchmarks.reporting import Table
from lablr.bundle import Bundle
from lablr.system.cpu import available_threads

__all__ = ["describe", "load_now"]

PACKAGES = (
    "numpy",
    "onnxruntime",
    "pillow",
    "waitress",
    "flask",
    "torch",
    "scikit-learn",
    "matplotlib",
)
# Instructions that decide how fast floats and 8-bit integers are multiplied.
INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp")


def describe() -> Table:
    """Cores, processor, memory, system, versions and the model."""
    cpu = _read("/proc/cpuinfo")
    model = re.search(r"^model name\s*:\s*(.+)$", cpu, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", cpu, re.MULTILINE)
    known = set(flags[1].split()) if flags else set()
    memory = re.search(r"^MemTotal:\s+(\d+) kB", _read("/proc/meminfo"), re.MULTILINE)
    bundle = Bundle.load()
    versions = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    rows = [
        ["processor", model[1] if model else platform.processor() or "unknown"],
        [
            "of its instructions",
            ", ".join(name for name in INSTRUCTIONS if name in known),
        ],
        ["cores", str(available_threads())],
        ["memory", f"{int(memory[1]) / 2**20:.1f} GiB" if memory else "unknown"],
        ["system", f"{platform.system()} {platform.release()}, {platform.machine()}"],
        ["Python", platform.python_version()],
        ["packages", versions],
        ["Lablr", lablr.__version__],
        ["model", f"{bundle.digest[:12]}, {len(bundle.tags)} tags"],
    ]
    return Table(("machine", ""), rows)


def load_now() -> float:
    """Processes that ran or waited for a core, averaged over the last minute."""
    return os.getloadavg()[0]


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""  # not Linux


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"
