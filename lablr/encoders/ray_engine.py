"""The work on many photos over the machines of a Ray cluster, by Ray Data.

Every core of the cluster has an actor that prepares the work once, such as loading
the encoder, and then is sent one block of records after another; it reads their photos
from the path they have on every machine. What comes back is bytes, unpacked here
(https://docs.ray.io/en/latest/data/transforming-data.html#stateful-transforms).
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from lablr.corpus import Photo
from lablr.encoders.engines import Work, cut
from lablr.errors import EngineError, MissingExtra
from lablr.system.cpu import available_threads
from lablr.system.progress import Progress, silent

Result = TypeVar("Result")

# A block's sums take megabytes whatever its size, so here blocks are larger than in
# threads: half a minute of a core.
MOST_IN_BLOCK = 1024

# So many blocks for each worker are handed to Ray at once: the records of more would
# all lie in the memory of this machine.
BLOCKS_AT_ONCE = 16

# Blocks are small: of records, and of sums. Ray would take a third of the memory.
OBJECT_STORE_BYTES = 1 << 29

# What Ray shows or sends of its own accord, unless the user has said otherwise.
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # It calls the way Ray Data itself starts its actors an error.
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    # Its first process may need more than the usual 30 s where the machine is busy.
    "RAY_gcs_server_port_wait_time_s": "120",
}


class RayEngine:
    """Works on every core of a Ray cluster.

    Parameters
    ----------
    address : of a cluster that runs, such as "10.0.0.1:6379"; None takes that of the
        environment's RAY_ADDRESS or, without one, starts Ray on this machine for as
        long as the work takes. Where the process is connected to a cluster
        already, that is used.

    `map` raises `MissingExtra` without Ray, `EngineError` when the cluster cannot be
    reached or fails.
    """

    def __init__(self, address: str | None = None) -> None:
        self.address = address

    def map(
        self,
        work: Work[Result],
        photos: Iterable[Photo],
        n_photos: int,
        progress: Progress = silent,
        label: str = "",
    ) -> Iterator[Result]:
        """Yield the result of every block of the `n_photos` photos, in their order."""
        work.prepare()  # what is wrong with it is said before machines are started
        with cluster(self.address) as ray:
            n_workers = n_cores(ray)
            blocks, n_blocks = cut(photos, n_photos, n_workers, MOST_IN_BLOCK)
            done = over_cluster(ray, partial(_prepare, work), map(_packed, blocks))
            yield from progress(map(work.unpack, done), n_blocks, label)


def _prepare(work: Work[Result]) -> Callable[[bytes], bytes]:
    do = work.prepare()
    return lambda records: work.pack(do(_unpacked(records)))


def n_cores(ray: Any) -> int:
    """Count the cores that the cluster has now."""
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def over_cluster(
    ray: Any, prepare: Callable[[], Callable[[bytes], bytes]], blocks: Iterable[bytes]
) -> Iterator[bytes]:
    """Yield the result of each block, in order, with a bounded number under way.

    Each worker calls `prepare` once, and what it returns for each of its blocks.
    Raises `EngineError` when the cluster fails.
    """
    n_workers, remaining = n_cores(ray), iter(blocks)
    while wave := list(islice(remaining, BLOCKS_AT_ONCE * n_workers)):
        items = [{"block": block} for block in wave]
        n_actors = min(n_workers, len(items))
        done = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            _Worker,
            fn_constructor_args=(prepare,),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=n_actors),
            num_cpus=1,
        )
        try:
            for row in done.iter_rows():
                yield row["result"]
        except ray.exceptions.RayError as error:
            raise EngineError(f"the Ray cluster failed: {error}") from error


class _Worker:
    """One core's share of the work: an actor of Ray Data."""

    def __init__(self, prepare: Callable[[], Callable[[bytes], bytes]]) -> None:
        self._do = prepare()

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        """Do the work on each block of a batch."""
        return {"result": [self._do(block) for block in batch["block"]]}


def load_ray() -> Any:
    """Return the module ray, with Ray Data; raises `MissingExtra` without it."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtra("scale", "use Ray") from error
    return ray


@contextmanager
def cluster(address: str | None) -> Iterator[Any]:
    """Be connected to a cluster; one that was started here ends here.

    Raises `MissingExtra` without Ray, `EngineError` when it cannot be reached.
    """
    ray = load_ray()
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    own = not ray.is_initialized()
    if own:
        _connect(ray, address or os.environ.get("RAY_ADDRESS"))
    # Sums are added, and validation photos kept, in the order of the corpus.
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    try:
        yield ray
    finally:
        if own:
            ray.shutdown()


def _connect(ray: Any, address: str | None) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    own = {
        "num_cpus": available_threads(),
        "include_dashboard": False,
        "object_store_memory": OBJECT_STORE_BYTES,
    }
    try:
        with _nothing_on_stderr():
            ray.init(address or "local", **({} if address else own), **quiet)
    except Exception as error:  # of many kinds, and some are a bare Exception
        where = address or "this machine"
        raise EngineError(f"Ray cannot be used on {where}: {error}") from error


@contextmanager
def _nothing_on_stderr() -> Iterator[None]:
    """Drop what is written to the file descriptor 2.

    Ray's core, which is not Python, tells there that it was told to be quiet.
    """
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _packed(photos: Sequence[Photo]) -> bytes:
    """Pack records as JSON, with the paths that the photos have on every machine."""
    records = [
        photo.to_record() | {"path": str(photo.path.absolute())} for photo in photos
    ]
    return json.dumps(records).encode()


def _unpacked(records: bytes) -> list[Photo]:
    return [
        Photo(**record | {"path": Path(record["path"]), "tags": tuple(record["tags"])})
        for record in json.loads(records)
    ]
