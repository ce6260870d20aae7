"""The desk: from suggestions for many photos to tags in their files.

``files`` finds the photos of a folder and copies dropped ones, ``store`` holds the
decisions in the database, step by step, and ``desk`` is the interface of the page;
``flickr_tags`` finds the photos that came from Flickr. ``docs/desk.md`` is for people.
"""
