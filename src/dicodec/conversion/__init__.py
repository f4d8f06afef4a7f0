"""One file to one file: the steps of a conversion in order, and the public calls."""
