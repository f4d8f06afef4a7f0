"""Calls for programs that need several rooms: open an image at any place, convert many files."""
