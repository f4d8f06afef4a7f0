"""The ledger of a batch: what became of each source, and what a later run does with that."""
