"""Make ConSE of a list of tags: a network in 8-bit integers, and texts as points.

Nothing is trained and no tag of a photo is looked at. Photos are needed only for the
ranges of the integers, any photos.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from lablr.corpus import Corpus
from lablr.encoders.quantization import quantized, sample_images
from lablr.encoders.text import SentenceEncoder, TextModel
from lablr.errors import TrainingError
from lablr.ranking.methods.conse import ConSE, pack_embeddings
from lablr.system.arrays import Pixels
from lablr.system.npz import pack_arrays
from lablr.system.whole_file import write_bytes
from lablr.training.imagenet import SIZE, class_names, imagenet_network
from lablr.training.run_folder import write_json


def make_conse(
    tags: Sequence[str],
    backbone: str,
    text_model: TextModel,
    images: Iterable[Pixels] | None = None,
    texts: Sequence[str] | None = None,
) -> ConSE:
    """Return ConSE of these tags, over one of `backbones.EFFICIENTNET_LITE`.

    `images` (S, S, 3), a few hundred of side `lablr.training.imagenet.SIZE`, show the
    network its ranges; they are taken one by one. Without any it stays in floating
    point, four times as large. `texts` say the tags in words, by default as they are.
    Raises `TrainingError` for another backbone, `MissingExtra` without the packages
    that it needs, `TextError` for a text that `text_model` cannot read.
    """
    network, preprocessing = imagenet_network(backbone)
    if images is not None:
        inputs = (preprocessing.normalize(image[np.newaxis]) for image in images)
        network = _slim(quantized(network, inputs))
    classes = text_model.embed(class_names())
    arrays = {
        "class_embeddings": pack_embeddings(classes),
        "embeddings": pack_embeddings(text_model.embed(texts or tags)),
        "centre": classes.mean(axis=0),
        "text_digest": np.frombuffer(bytes.fromhex(text_model.digest), np.uint8),
    }
    return ConSE(network, preprocessing, arrays, tags)


def _slim(network: bytes) -> bytes:
    """Drop what says nothing from a graph: a fortieth of a quantized one.

    Weights and biases are symmetric, so their zero points are zeros, which is what
    ONNX takes one that is left out to be.
    """
    import onnx  # quantizing needed it

    model = onnx.load_from_string(network)
    graph = model.graph
    zeros = {
        tensor.name
        for tensor in graph.initializer
        if tensor.data_type in (onnx.TensorProto.INT8, onnx.TensorProto.INT32)
        and not onnx.numpy_helper.to_array(tensor).any()
    }
    for node in graph.node:
        node.ClearField("name")
        if node.op_type == "DequantizeLinear" and node.input[-1] in zeros:
            del node.input[2:]
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:], graph.value_info[:]
    graph.initializer.extend(kept)
    slim: bytes = model.SerializeToString()
    return slim


def write_conse_run(
    corpus: Corpus, folder: Path, backbone: str = "efficientnet-lite0"
) -> ConSE:
    """Make ConSE of the corpus's tags and leave a run for `lablr.fitting.methods`.

    Some training photos show the network its ranges; what they are tagged with is not
    looked at. ``config.json`` comes last: a folder without it holds no run. Raises
    `TrainingError` when there is one, and as `make_conse`.
    """
    if (folder / "config.json").exists():
        raise TrainingError(f"{folder} holds a run: choose another folder")
    tags = sorted(corpus.read().tag_counts())
    images = sample_images(corpus, SIZE)
    conse = make_conse(tags, backbone, SentenceEncoder.load(), images)
    folder.mkdir(parents=True, exist_ok=True)
    packed = pack_arrays(conse.to_arrays(), "method.npz")
    write_bytes(folder / "network.onnx", conse.network)
    write_bytes(folder / "method.npz", packed)
    described = {
        "method": ConSE.name,
        "tags": tags,
        "corpus_digest": corpus.digest,
        "backbone": backbone,
        "text_model": conse.text_digest,
    }
    write_json(folder / "config.json", described)
    return conse
