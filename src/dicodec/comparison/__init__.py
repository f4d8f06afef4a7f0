"""Comparison of two files: their differences in numbers, and as a picture."""
