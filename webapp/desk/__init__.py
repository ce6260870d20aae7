"""The desk: the photos of a folder, what is decided for them, writing it down."""
