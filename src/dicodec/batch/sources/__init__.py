"""Sources of a batch: folders, archives, object storage, and what they hold."""
