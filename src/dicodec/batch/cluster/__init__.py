"""A batch on the machines of a cluster: one driver, and groups of items on any machine."""
