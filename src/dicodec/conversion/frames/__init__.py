"""Frames: read, decode, change, encode and write them in bounded memory."""
