"""``python -m lablr`` is the ``lablr`` command."""

from __future__ import annotations

from lablr.cli import main

if __name__ == "__main__":
    main(prog_name="lablr")
