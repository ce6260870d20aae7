"""Finding photos in a folder: by a photo, by tags, by words, or by all of these.

`build` looks at every photo of a folder once and writes an index beside it; `Index`
reads one, and `Search` answers queries with it.
"""

from lablr.searching.building import Built, build
from lablr.searching.finding import Found, Query, Search
from lablr.searching.index import Index

__all__ = ["Built", "Found", "Index", "Query", "Search", "build"]
