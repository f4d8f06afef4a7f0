"""How far two files are apart, and a picture of it."""
