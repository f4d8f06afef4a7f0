"""Programs that run for long: jobs and their store, brokers, the worker, the web service."""
