"""`dicodec convert`: arguments, sources, targets, and what is printed."""
