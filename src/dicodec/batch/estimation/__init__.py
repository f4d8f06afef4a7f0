"""The estimate of a dry run: how many bytes the results of a batch would have."""
