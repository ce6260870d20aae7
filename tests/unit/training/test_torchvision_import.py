"""torchvision imports beside every build of PyTorch, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

USES_TORCHVISION = """
from lablr.training import torchvision_import
torchvision = torchvision_import.import_torchvision()

import torch
import torchvision.models, torchvision.ops
from torchvision.transforms import v2

image = torch.arange(12.0).reshape(1, 3, 4)
assert v2.functional.horizontal_flip(image).equal(image.flip(-1))
assert torchvision_import.import_torchvision() is torchvision
"""

DECLARES_FIRST = """
import torch
library = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    library.define(f"{name}(Tensor a, Tensor b, float c) -> Tensor")
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )


def test_operators_that_are_there_are_not_declared_again():
    # Where torchvision's library loads, it has declared the two operators; a
    # second declaration would be an error.
    done = run(
        DECLARES_FIRST + USES_TORCHVISION + "assert not torchvision_import._declared\n"
    )
    assert done.returncode == 0, done.stderr


def test_another_failure_is_passed_on():
    # An operator without its name in the message is not the known failure.
    done = run(
        "import sys\n"
        "class Broken:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'torchvision':\n"
        "            raise RuntimeError('out of order')\n"
        "sys.meta_path.insert(0, Broken())\n"
        "from lablr.training.torchvision_import import import_torchvision\n"
        "import_torchvision()\n"
    )
    assert done.stderr.strip().endswith("RuntimeError: out of order")


@pytest.mark.parametrize("name", ["torch", "torchvision"])
def test_a_missing_extra_is_named(name: str):
    done = run(
        f"import sys; sys.modules[{name!r}] = None\n"
        "from lablr.training.torchvision_import import import_torchvision\n"
        "import_torchvision()\n"
    )
    assert "MissingExtra: 'pip install lablr[train]' is needed" in done.stderr
