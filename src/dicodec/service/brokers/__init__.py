"""Message brokers: one interface, a file for each kind."""
