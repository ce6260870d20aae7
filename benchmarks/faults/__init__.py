"""What a server survives: one fault a file, run by hand, each with ``--help``.

They take minutes and want a quiet machine, so neither the tests nor ``make bench`` run
them; the tests have a short form of each. Their figures stand in docs/safety.md::

    python -m benchmarks.faults.stalled_sockets --seconds 60
"""

from __future__ import annotations

import sys
from pathlib import Path

# Their server and their photos are the tests'.
sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))
