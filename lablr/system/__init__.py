"""Files, locks, journals, threads and progress: what knows no photos and no tags."""
