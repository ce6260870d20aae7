"""Labelling by Ray writes the file that this machine writes, to the last byte."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from label_makers import bundle, labeller, many_lines

from lablr import ray_engine
from lablr.cli import main
from lablr.labelling import Output, label, open_input
from lablr.labelling.on_ray import on_ray

# Ray Data uses settings of its own that it has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")


@pytest.fixture(scope="module")
def two_cores() -> Iterator[None]:
    """Two actors on this machine, in a folder whose path is short enough for Ray."""
    os.environ.update(ray_engine.QUIET)
    import ray

    folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))  # Ray keeps a token in ~/.ray
        ray.init(
            "local",
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=100 << 20,
            _temp_dir=str(folder),
            log_to_driver=False,
        )
        yield
        ray.shutdown()
    shutil.rmtree(folder)


def test_the_file_is_the_local_one(two_cores: None, tmp_path: Path) -> None:
    source = open_input(str(many_lines(tmp_path / "in", 700)), stdin=io.BytesIO())
    here, there = Output(tmp_path / "here.csv"), Output(tmp_path / "there.csv")
    counts = label(source, here, labeller())
    assert counts == label(
        source, there, labeller(), engine=on_ray(bundle(), 3, "calibrated")
    )
    assert counts.attempted == 700
    assert there.path.read_bytes() == here.path.read_bytes()
    assert there.failures.read_bytes() == here.failures.read_bytes()


def test_an_address_without_ray_is_a_mistake(tmp_path: Path) -> None:
    lines = many_lines(tmp_path / "in", 7)
    words = [str(lines), "-o", str(tmp_path / "out.csv"), "--ray-address", "head:6379"]
    done = CliRunner().invoke(main, ["label", *words])
    assert done.exit_code == 2
    assert "--ray-address needs --engine ray" in done.stderr
