"""`dicodec convert` of many files: run the batch, report its files, show its progress."""
