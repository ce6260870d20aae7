#!/usr/bin/env python3
"""Download tagged photos from Flickr; the same as ``lablr download``."""

import sys

from lablr.cli import main

if __name__ == "__main__":
    main(["download", *sys.argv[1:]], prog_name="lablr")
