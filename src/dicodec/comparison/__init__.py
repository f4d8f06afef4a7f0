"""The difference between two files, in numbers and as a picture."""
