"""Which attributes of a result differ from its source's, and why."""
