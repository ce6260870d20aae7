"""What the machine gives: files whole or not there, locks, caches, threads, progress.

Nothing here knows of photos or tags.
"""
