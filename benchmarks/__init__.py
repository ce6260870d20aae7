"""How fast Lablr is: one question a file, all of them by ``make bench``.

Each answers with a ratio of two ways that do the same work in the same run, one
after the other in turns, so that a busy machine slows both alike. One alone::

    python -m benchmarks.one_photo            # --quick: few repetitions
"""

from __future__ import annotations

import os

# As in `lablr.encoders.encoder`; read when ONNX Runtime is first imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
