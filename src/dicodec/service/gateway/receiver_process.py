"""A process that receives: the gateway starts several, which share one listening socket.

It watches the gateway before it loads large modules, because another gateway cannot listen while
it has the socket.
"""

from __future__ import annotations

import json
import os
import sys
import threading


def main(config: str, number: int, descriptor: int, drain: float) -> None:
    """Receive until a signal, or until the gateway that started this process has ended.

    The first line of standard input is an object of JSON, because everybody can see arguments:
    `store`, the path or URL of the job store, which may have a password; `traces`, the URL of a
    collector, or null; `secrets`, environment variables for the collector.

    Args:
        config: path of the configuration.
        number: number of this process among those that receive.
        descriptor: the listening socket.
        drain: seconds that associations get to end.
    """
    given = json.loads(sys.stdin.readline())
    threading.Thread(target=_watch, daemon=True).start()

    import signal
    import socket

    from dicodec.model.platforms import find_ending_signals
    from dicodec.service.gateway.config_file import load_config
    from dicodec.service.gateway.receiving import Receiver
    from dicodec.service.gateway.spool import Spool
    from dicodec.service.jobs.logs import Log
    from dicodec.service.jobs.store.store import JobStore

    log = Log(sys.stderr)
    tracing = None
    if given["traces"] is not None:
        os.environ.update(given["secrets"])
        from dicodec.service.jobs.otel_tracing import make_exporting_tracing

        tracing = make_exporting_tracing(given["traces"], "dicodec-gateway", log)
    ending = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the gateway answers an interruption
    for one in find_ending_signals():
        signal.signal(one, lambda *_: ending.set())
    settings = load_config(config)
    spool = Spool(settings.receive.spool)
    with (
        spool.receive(number) as parts,
        JobStore(given["store"]) as jobs,
        socket.socket(fileno=descriptor) as listening,
    ):
        receiver = Receiver(settings, spool, jobs, log, parts, _announce, tracing)
        receiver.start(listening)
        _announce()
        ending.wait()
        receiver.stop(drain)
    if tracing is not None:
        tracing.close()
    os._exit(0)  # threads of pynetdicom may outlive their associations


def _announce() -> None:
    """Tell the gateway that there are new jobs, or that this process receives."""
    try:
        os.write(sys.stdout.fileno(), b"\n")
    except OSError:
        return  # it has ended, which the other thread notices


def _watch() -> None:
    """End with the gateway, which holds the other end of standard input.

    At once: another gateway may be about to start, and an object that is not safe yet was not
    answered with Success.
    """
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
