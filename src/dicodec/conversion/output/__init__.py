"""Output: put a result in its place whole, or not at all."""
