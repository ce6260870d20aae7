#!/usr/bin/env python3
"""Train the encoder on tagged photos; the same as ``lablr train``."""

import sys

from lablr.cli import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]], prog_name="lablr")
