"""Values that every layer shares: the transfer syntax table, image descriptions, edits."""
