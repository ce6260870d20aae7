#!/usr/bin/env python3
"""Bring photos to one size; the same as ``lablr resize``."""

import sys

from lablr.cli import main

if __name__ == "__main__":
    main(["resize", *sys.argv[1:]], prog_name="lablr")
