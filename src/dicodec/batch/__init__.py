"""Many files: found in folders and archives, converted by a pool of processes, kept in a ledger."""
