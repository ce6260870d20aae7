"""Find photos in a folder: by a photo, by tags, by words, or by all of these.

`build` extracts the features of every photo of a folder once and writes an `Index`;
`Search` answers a `Query` with it.
"""

from lablr.search.builder import BuildReport, build
from lablr.search.features import FeatureExtractor
from lablr.search.index import Index
from lablr.search.query import Match, Query, Search

__all__ = [
    "BuildReport",
    "FeatureExtractor",
    "Index",
    "Match",
    "Query",
    "Search",
    "build",
]
