"""Metrics for Prometheus: declared once, for services, workers and batches."""
