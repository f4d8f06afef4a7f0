"""The ledger of a batch: the state of each source, from which a later run goes on."""
