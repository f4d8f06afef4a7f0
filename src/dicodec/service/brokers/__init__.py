"""Message brokers: one interface, a module for each kind."""
