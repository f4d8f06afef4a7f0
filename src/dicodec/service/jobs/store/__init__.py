"""The job store: the queue of jobs in one SQLite file."""
