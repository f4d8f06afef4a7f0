"""The service's routes: one file a subject."""
