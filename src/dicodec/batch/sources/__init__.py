"""Sources of a batch: files in folders, archives and object storage."""
