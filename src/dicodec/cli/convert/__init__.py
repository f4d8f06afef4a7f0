"""`dicodec convert`: its arguments, its two ways to convert, and its output."""
