"""Serve the metrics of a worker over HTTP, for Prometheus to fetch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client.exposition import start_http_server

from dicodec.errors import InvalidOptionError
from dicodec.service.metrics.recording import Metrics


@contextmanager
def serve_metrics(metrics: Metrics, host: str, port: int) -> Iterator[str]:
    """Answer requests in threads of their own within the block.

    Args:
        metrics: the metrics.
        host: address to listen on.
        port: port; 0 for any free one.

    Yields:
        The URL of the metrics.

    Raises:
        InvalidOptionError: the address is not ours, or the port is taken.
    """
    try:
        server, thread = start_http_server(port, host, metrics.registry)
    except (OSError, OverflowError) as cause:
        text = cause.strerror if isinstance(cause, OSError) else cause
        raise InvalidOptionError(
            f"the metrics cannot be served at {host}:{port}: {text}", hint="another --metrics-port"
        ) from cause
    try:
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
