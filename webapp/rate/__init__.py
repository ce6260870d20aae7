"""Judging tags: sign in, rate photos, read the results."""
