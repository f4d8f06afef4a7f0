"""A pool of worker processes: a crash costs one file an error, never the batch."""
