"""A pool of worker processes: a crash fails one file, never the batch."""
