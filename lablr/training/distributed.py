"""Several processes, on one machine or many, that train one model together.

torchrun starts them and says by environment variables who is who. Each process holds
the whole model and takes its part of every batch; gradients, losses and the
statistics of batch normalization are summed over all of them, and whatever is random
is drawn for the whole batch by each, of which it keeps its part. So a run is the same
by any number of processes, but for the order in which numbers are added.

A process that is alone is one of one: nothing is summed, nothing is wrapped.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

from lablr.errors import TrainingError
from lablr.system.cpu import available_threads

# One process decodes a corpus while the others wait, for as long as it takes; that
# one of them has died is seen at once all the same.
TIMEOUT = timedelta(days=7)


CPU = torch.device("cpu")


@dataclass(frozen=True)
class Processes:
    """The processes of a run, seen from one of them.

    Attributes
    ----------
    rank : this process's number; that of the leader, who alone writes, is 0.
    count : how many there are.
    device : what this one computes on.
    """

    rank: int = 0
    count: int = 1
    device: torch.device = CPU

    @property
    def leader(self) -> bool:
        """Tell whether this process writes the run's folder."""
        return self.rank == 0

    def part(self, n_photos: int) -> slice:
        """Return this process's photos among the `n_photos` of a batch.

        Nobody has more of them than the leader.
        """
        least, more = divmod(n_photos, self.count)
        start = self.rank * least + min(self.rank, more)
        return slice(start, start + least + (self.rank < more))

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Put into each tensor its sum over all processes, the same bits in each."""
        if self.count == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors]).to(self.device)
        dist.all_reduce(flat)
        parts = flat.split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view(tensor.shape))

    def share(self, make: Callable[[], bytes]) -> bytes:
        """Return what the leader makes, in every process."""
        made = [make() if self.leader else b""]
        if self.count > 1:
            dist.broadcast_object_list(made, src=0)
        return made[0]

    @contextmanager
    def leader_first(self) -> Iterator[None]:
        """Let the leader through the block before the others enter it."""
        if not self.leader:
            dist.barrier()
        yield
        if self.leader and self.count > 1:
            dist.barrier()

    def drawing(self, n_photos: int, seed: int) -> AbstractContextManager[Any]:
        """Draw what is random for a batch of `n_photos` from `seed`.

        Inside, PyTorch's random functions give this process's part of what they
        would give to one process that holds the whole batch.
        """
        torch.manual_seed(seed)
        if self.count == 1:
            return nullcontext()
        return _DrawnForAll(n_photos, self.part(n_photos))


@contextmanager
def processes(device: str = "auto") -> Iterator[Processes]:
    """Join the processes that torchrun has started, or be the only one.

    `device` is ``"auto"`` (a GPU for each process where there are any), ``"cpu"``,
    ``"cuda"`` or another of PyTorch's. The environment is torchrun's:
    https://docs.pytorch.org/docs/stable/elastic/run.html#environment-variables.

    Raises `TrainingError` when there is no such device, or another process has ended.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    chosen = _device(device)
    if count == 1:
        yield Processes(device=chosen)
        return
    try:
        backend = "nccl" if chosen.type == "cuda" else "gloo"
        dist.init_process_group(backend, timeout=TIMEOUT)
        yield Processes(dist.get_rank(), count, chosen)
    except BaseException as error:
        _abandon_group()
        if not _tells_of_another_end(error):
            raise
        atexit.register(_end_at_once)
        message = "another process of this run has ended: it says why"
        raise TrainingError(message) from error
    dist.destroy_process_group()


def _tells_of_another_end(error: BaseException) -> bool:
    """Tell whether `error` is what a sum raises when another process is gone."""
    if isinstance(error, dist.DistError):
        return True
    return isinstance(error, (RuntimeError, ValueError)) and "gloo" in str(error)


def _abandon_group() -> None:
    """Leave a group in which a sum is cut short: its connections end with the process.

    Its C++ destructor would take them down. When the other side is going down, too, it
    may throw, and what a destructor throws aborts the process. The traceback of what
    was raised holds the group until the interpreter ends, so one reference more, which
    is never given back, keeps the destructor from running.
    """
    if dist.is_initialized():
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(dist.group.WORLD))
        dist.destroy_process_group()


def _end_at_once() -> NoReturn:
    """End a process that has failed, with status 1, before its interpreter is undone.

    The threads of an abandoned group live on. One of them that asks for the interpreter
    while it is being undone is made to leave from where it is, and C++ aborts the
    process then, "terminate called without an active exception":
    https://docs.python.org/3.11/c-api/init.html#c.PyEval_RestoreThread.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


def threads_of_a_process() -> int:
    """Return how many cores each process of this machine should use."""
    return max(available_threads() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")), 1)


def _device(name: str) -> torch.device:
    """Return the device of this process; of several GPUs, each takes its own."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise TrainingError(f"there is no device {name!r}: {reason}") from error
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


class _DrawnForAll(TorchFunctionMode):
    """Random functions that draw for a whole batch and keep one process's part.

    They are those that our networks and torchvision's call with a tensor whose first
    axis is the photos: dropout, stochastic depth, reparameterization.
    """

    def __init__(self, n_photos: int, part: slice) -> None:
        super().__init__()
        self.n_photos = n_photos
        self.part = part

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if function is torch.rand:
            shape = args[0] if isinstance(args[0], Sequence) else args
            return torch.rand(self._whole(shape), **kwargs)[self.part]
        if function is torch.randn_like:
            return torch.randn(self._whole(args[0].shape), **_kind(args[0]))[self.part]
        if function is F.dropout:
            whole = torch.ones(self._whole(args[0].shape), **_kind(args[0]))
            kwargs.pop("inplace", None)
            return args[0] * F.dropout(whole, *args[1:], **kwargs)[self.part]
        if function is Tensor.bernoulli_:
            whole = torch.empty(self._whole(args[0].shape), **_kind(args[0]))
            return args[0].copy_(whole.bernoulli_(*args[1:], **kwargs)[self.part])
        return function(*args, **kwargs)

    def _whole(self, shape: Sequence[int]) -> tuple[int, ...]:
        return (self.n_photos, *shape[1:])


def _kind(tensor: Tensor) -> dict[str, Any]:
    return {"dtype": tensor.dtype, "device": tensor.device}


class _Sum(torch.autograd.Function):
    """The sum of a tensor over all processes, and of its gradient on the way back."""

    @staticmethod
    def forward(ctx: Any, numbers: Tensor) -> Tensor:
        total = numbers.clone()
        dist.all_reduce(total)
        return total

    backward = forward


class _OverAllProcesses(_BatchNorm):
    """Batch normalization whose batch is that of all processes (Ioffe & Szegedy, 2015).

    PyTorch's `SyncBatchNorm` is for GPUs only. Alone, or when it does not learn, it is
    PyTorch's own batch normalization.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Normalize `maps` (N, C) or (N, C, H, W)."""
        if not (self.training and dist.is_available() and dist.is_initialized()):
            return super().forward(maps)
        numbers = maps.float()
        axes = [0, *range(2, maps.dim())]
        shape = (1, -1, *[1] * (maps.dim() - 2))
        count = numbers.new_tensor([maps.numel() / maps.shape[1]])
        totals = _sum(torch.cat([numbers.sum(axes), count]))
        n, mean = totals[-1].detach(), totals[:-1] / totals[-1].detach()
        centred = numbers - mean.view(shape)
        variance = _sum(centred.square().sum(axes)) / n
        self._remember(mean.detach(), variance.detach() * n / (n - 1))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale.view(shape) + self.bias.view(shape)).to(maps.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """Take the batch into the running statistics, the variance being unbiased."""
        for kept, now in ((self.running_mean, mean), (self.running_var, variance)):
            if kept is not None:
                kept.lerp_(now, self.momentum or 0.0)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)


def _sum(numbers: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(numbers)  # type: ignore[no-untyped-call]
    return total


class BatchNorm1d(_OverAllProcesses, nn.BatchNorm1d):
    """Batch normalization of features (N, C), over all processes."""


class BatchNorm2d(_OverAllProcesses, nn.BatchNorm2d):
    """Batch normalization of maps (N, C, H, W), over all processes."""
