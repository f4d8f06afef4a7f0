"""Non-standard and damaged files: recognize, read and standardize them."""
