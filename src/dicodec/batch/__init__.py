"""Many files: sources, policies, the ledger, a pool of worker processes."""
