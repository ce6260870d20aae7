"""Tagged photos on disk: their layouts, their records, and photos at one size.

`corpus` reads a corpus record by record out of one of the `layouts` and keeps what was
read, `images` decodes the photos; `inputs` lists the photos that a person named;
`label_weights` says what the absence of a tag weighs; `resize` turns one corpus into
another whose photos all have one size.
"""

from lablr.corpus.corpus import Corpus, membership
from lablr.corpus.records import Photo

__all__ = ["Corpus", "Photo", "membership"]
