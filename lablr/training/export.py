"""The results of a finished run: the encoder as ONNX, curves, reconstructions."""

from __future__ import annotations

import copy
import io
import warnings
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from lablr.errors import MissingExtra
from lablr.training.batches import Batch
from lablr.training.run_folder import write_json, write_whole
from lablr.training.vae import VAE

ONNX_OPSET = 17

Network = TypeVar("Network", bound=nn.Module)


class _PosteriorOutputs(nn.Module):
    """The encoder as the bundle has it: images in, mean and log-variance out."""

    def __init__(self, model: VAE) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        posterior = self.model.encode(image)
        return posterior.mean, posterior.log_variance


def export_encoder(model: VAE, folder: Path) -> None:
    """Write ``encoder.onnx`` and ``encoder.json`` of `model` into `folder`.

    The JSON file holds the preprocessing: size in pixels, mean and scale a channel.

    Weights are rounded to half precision and kept so, which halves the file; the
    runtime makes them float32 again when it loads them, and computes in float32.
    """
    model = rounded(model).eval().cpu()
    model.encoder.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    preprocessing = {
        "size": model.config.image_size,
        "mean": list(model.encoder.mean),
        "scale": list(model.encoder.scale),
    }
    write_json(folder / "encoder.json", preprocessing)
    exported = encoder_onnx(_PosteriorOutputs(model), model.config.image_size)
    write_whole(folder / "encoder.onnx", lambda file: file.write(exported))


def encoder_onnx(network: nn.Module, size: int) -> bytes:
    """Return an encoder as ONNX, its weights in half precision where that is exact.

    The graph takes ``image`` (N, 3, S, S) float32, normalized, S the `size`, and
    gives ``posterior_mean`` and ``log_variance`` (N, d).
    """
    return _in_half_precision(
        export_onnx(network, size, ["posterior_mean", "log_variance"])
    )


def export_onnx(network: nn.Module, size: int, outputs: list[str]) -> bytes:
    """Return a network over ``image`` (N, 3, S, S) as ONNX, N open in its outputs."""
    exported = io.BytesIO()
    with warnings.catch_warnings():
        # The TorchScript exporter is deprecated but needs no further package and
        # keeps the graph as small as the network.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(2, 3, size, size),),
            exported,  # type: ignore[arg-type]  # it takes files, too
            input_names=["image"],
            output_names=outputs,
            dynamic_axes={name: {0: "photos"} for name in ("image", *outputs)},
            opset_version=ONNX_OPSET,
            dynamo=False,
        )
    return exported.getvalue()


def rounded(model: Network) -> Network:
    """Return a copy of `model` whose weight matrices hold numbers of half precision."""
    model = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.copy_(parameter.half())
    return model


def _in_half_precision(model: bytes) -> bytes:
    """Return a network with each tensor that float16 holds exactly so, and a cast.

    Where the exporter folded batch normalization into a weight, it stays as it is.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_model_from_string(model)
    casts = []
    for tensor in graph.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.ndim < 2:
            continue
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), values):
            continue
        name, halved = tensor.name, f"{tensor.name}.float16"
        tensor.CopyFrom(numpy_helper.from_array(half, halved))
        casts.append(
            onnx.helper.make_node("Cast", [halved], [name], to=onnx.TensorProto.FLOAT)
        )
    for cast in reversed(casts):
        graph.graph.node.insert(0, cast)
    stored: bytes = graph.SerializeToString()
    return stored


def draw_losses(history: list[dict[str, float]], path: Path) -> None:
    """Draw each part of the objective by epoch, training and validation, as PNG."""
    names = [name for name in history[0] if not name.startswith("validation_")]
    figure = _figure(width=3 * len(names), height=3)
    epochs = range(1, len(history) + 1)
    for i, name in enumerate(names, 1):
        axes = figure.add_subplot(1, len(names), i)
        axes.plot(epochs, [record[name] for record in history], label="training")
        validation = [record[f"validation_{name}"] for record in history]
        axes.plot(epochs, validation, label="validation")
        axes.set_title(name)
        axes.set_xlabel("epoch")
    axes.legend()
    _save(figure, path)


@torch.no_grad()
def draw_reconstructions(model: VAE, batch: Batch, path: Path, n: int = 12) -> None:
    """Draw `n` validation photos above their decoded posterior means, as PNG."""
    decoded = model.decode(batch.posterior(model).mean[:n])
    figure = _figure(width=n, height=2)
    for row, images in enumerate((batch.pixels[:n], decoded)):
        for column, image in enumerate(images):
            axes = figure.add_subplot(2, n, row * n + column + 1)
            axes.imshow(image.permute(1, 2, 0).cpu().numpy())
            axes.set_axis_off()
    _save(figure, path)


def _figure(width: float, height: float) -> Any:
    """Make a figure that draws to files only and leaves no global state behind."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtra("train", "draw what a run has learned") from error
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Any, path: Path) -> None:
    write_whole(path, lambda file: figure.savefig(file, format="png", dpi=100))
