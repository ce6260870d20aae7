"""Finding photos in a folder: by a photo, by tags, by words, or by all of these.

`build` looks at every photo of a folder once and writes an index beside it; `Index`
reads one, and `Search` answers queries with it.
"""

from lablr.search.building import Built, build
from lablr.search.finding import Match, Query, Search
from lablr.search.index import Index

__all__ = ["Built", "Index", "Match", "Query", "Search", "build"]
