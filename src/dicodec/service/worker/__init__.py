"""The broker worker: take requests, carry them out, settle each message."""
