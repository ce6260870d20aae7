#!/usr/bin/env python3
"""Train with every photo in memory; the same as ``lablr train --cache memory``."""

import sys

from lablr.cli import main

if __name__ == "__main__":
    main(["train", "--cache", "memory", *sys.argv[1:]], prog_name="lablr")
