"""Measure a service under many clients: files a second, refusals, health and memory.

    python bench/load.py URL [seconds]

The service runs already, on loopback, with `--rate 0`. Each client sends a CT file of 0.5 MB again
and again, and takes its result; every third of a second health is asked for. Rounds are repeated,
because a ratio says more than a rate on a machine that others use.
"""

from __future__ import annotations

import http.client
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from helpers.made import make_file

_CLIENTS = (8, 64, 150)
_ROUNDS = 2


def measure(address: str, data: bytes, clients: int, seconds: float) -> str:
    """Return what some clients got within some seconds, as a line."""
    until = time.monotonic() + seconds
    answers: Counter[int | str] = Counter()

    def send() -> None:
        connection = http.client.HTTPConnection(address, timeout=60)
        while time.monotonic() < until:
            try:
                connection.request("POST", "/api/convert?to=rle", data)
                answer = connection.getresponse()
                answer.read()
                answers[answer.status] += 1
            except OSError as error:
                answers[type(error).__name__] += 1
                connection.close()
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(clients)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    slowest = 0.0
    while time.monotonic() < until:
        slowest = max(slowest, _ask_for_health(address))
        time.sleep(0.3)
    for thread in threads:
        thread.join()
    rate = answers.pop(200, 0) / (time.monotonic() - start)
    return (
        f"{clients:4} clients: {rate:6.1f} files/s, others {dict(answers)}, health {slowest:.3f} s"
    )


def _ask_for_health(address: str) -> float:
    start = time.monotonic()
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request("GET", "/health/live")
    connection.getresponse().read()
    connection.close()
    return time.monotonic() - start


def main() -> None:
    """Measure each number of clients, in rounds."""
    address = urlsplit(sys.argv[1]).netloc
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 5.0
    data, _ = make_file(512, 512)
    measure(address, data, _CLIENTS[0], 2.0)  # processes are started
    for _ in range(_ROUNDS):
        for clients in _CLIENTS:
            print(measure(address, data, clients, seconds), flush=True)


if __name__ == "__main__":
    main()
