#!/usr/bin/env python3
"""Train on photos streamed from disk; the same as ``lablr train --cache disk``."""

import sys

from lablr.cli import main

if __name__ == "__main__":
    main(["train", "--cache", "disk", *sys.argv[1:]], prog_name="lablr")
