"""Values that every room shares: transfer syntaxes, images, edits, limits, tags."""
