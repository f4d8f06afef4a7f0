"""The broker worker: requests from a message broker, results in place, nothing lost."""
