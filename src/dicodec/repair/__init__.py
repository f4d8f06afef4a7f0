"""Non-standard and damaged files: what is odd, what is assumed, what is written instead."""
