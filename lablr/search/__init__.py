"""Find photos in a folder: by a photo, by tags, by words, or by all of these.

`build` extracts the features of every photo of a folder once and writes an `Index`;
`Search` answers a `Query` with it.
"""
