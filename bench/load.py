"""Measure the service under load: many uploads at once, many requests, many jobs.

The service is started here, on loopback, with a store of its own. Health is asked for by a process
of its own, because this one's threads would make it wait for themselves. Parts, each bounded:

- uploads: 8, 64 and 150 clients at once, each with a CT file of 0.5 MB again and again. Rates count
  as shares of the best one, because the machine's speed is not the service's.
- requests: many small ones, bad input among them; the memory of all processes before and after.
- jobs: conversions by path, and the memory again.

    python bench/load.py --parts uploads,requests,jobs --json load.json

bench/queues.py has the same for a broker's backlog, as `--parts backlog`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from helpers.made import make_file
from helpers.service_process import RunningService
from machine import list_processes_below, read_memory

_EVERY = 0.1
"""Seconds between two questions for health."""
_THREADS = 16


def main() -> int:
    """Run the parts; return 0, or 1 if one misses its bounds."""
    given = _parse_arguments()
    if given.ask_health:
        return _ask_for_health(given.ask_health)
    results: dict[str, Any] = {}
    for name in given.parts.split(","):
        with tempfile.TemporaryDirectory(prefix="dicodec-load-", dir=given.folder) as folder:
            serve = ["--rate", "0", "--jobs", str(given.jobs)]
            with RunningService(Path(folder), *serve) as service:
                results[name] = _PARTS[name](service, given)
        print(_format(name, results[name]), flush=True)
    if given.json:
        Path(given.json).write_text(json.dumps(results, indent=1) + "\n")
    return int(any(result["wrong"] for result in results.values()))


def _measure_uploads(service: RunningService, given: argparse.Namespace) -> dict[str, Any]:
    data, _ = make_file(512, 512)
    clients = [int(one) for one in given.clients.split(",")]
    _run_uploads(service.url, data, clients[0], 2.0)  # processes are started
    rows: list[dict[str, Any]] = []
    for _ in range(given.rounds):
        for count in clients:
            with _watch_health(service.url) as health:
                rate, others = _run_uploads(service.url, data, count, given.seconds)
            memory = _sum_memory(service)
            rows.append(
                {"clients": count, "rate": rate, "others": others, **health, "memory": memory}
            )
    best = max(row["rate"] for row in rows)
    wrong = []
    for row in rows:
        row["share"] = row["rate"] / best
        if row["share"] < 0.9:
            wrong.append(f"{row['clients']} clients: {row['share']:.2f} of the best rate")
        if row["slowest"] > 0.25:
            wrong.append(f"{row['clients']} clients: health took {row['slowest']:.3f} s")
    return {"rows": rows, "wrong": wrong}


def _run_uploads(
    url: str, data: bytes, clients: int, seconds: float
) -> tuple[float, dict[str, int]]:
    """Return the files a second, and how many answers of other kinds there were."""
    until = time.monotonic() + seconds
    request = ("POST", "/api/convert?to=rle", data)

    def send(connection: http.client.HTTPConnection, answers: Counter[str]) -> bool:
        _send(connection, request, answers)
        return time.monotonic() < until

    started = time.monotonic()
    answers = _run_clients(url, clients, send)
    rate = answers.pop("200", 0) / (time.monotonic() - started)
    return rate, dict(answers)


_Request = tuple[str, str, bytes]


def _measure_requests(service: RunningService, given: argparse.Namespace) -> dict[str, Any]:
    """Send many requests, a third of them bad, after a tenth that only warms up."""
    good, _ = make_file(16, 16)
    kinds: list[tuple[_Request, set[str]]] = [
        (("GET", "/api/status", b""), {"200"}),
        (("POST", "/api/convert?to=rle", good), {"200"}),
        (("GET", "/api/jobs", b""), {"200"}),
        (("POST", "/api/convert?to=rle", b"no DICOM" * 100), {"400", "415", "422"}),
        (("POST", "/api/jobs", b"{no JSON"), {"400", "415", "422"}),
        (("GET", "/api/jobs/nothing", b""), {"404"}),
    ]
    unexpected: Counter[str] = Counter()

    def send_many(count: int) -> None:
        left = iter(range(count))
        lock = threading.Lock()

        def send(connection: http.client.HTTPConnection, answers: Counter[str]) -> bool:
            with lock:
                number = next(left, None)
            if number is None:
                return False
            request, expected = kinds[number % len(kinds)]
            got = _send(connection, request, answers)
            # A place is given in turn; who waits too long is told to come again.
            if got not in expected | {"503"}:
                unexpected[f"{request[0]} {request[1]}: {got}"] += 1
            return True

        _run_clients(service.url, _THREADS, send)

    send_many(given.requests // 10)
    before = _sum_memory(service)
    started = time.monotonic()
    with _watch_health(service.url) as health:
        send_many(given.requests)
    seconds = time.monotonic() - started
    after = _sum_memory(service)
    row = {
        "requests": given.requests, "rate": given.requests / seconds, "before": before,
        "after": after, "unexpected": dict(unexpected), **health,
    }  # fmt: skip
    wrong = [f"{text}, {count} times" for text, count in unexpected.items()]
    if after > before * 1.2 + (16 << 20):
        wrong.append(f"memory grew from {before >> 20} to {after >> 20} MB")
    return {"rows": [row], "wrong": wrong}


def _measure_jobs(service: RunningService, given: argparse.Namespace) -> dict[str, Any]:
    """Submit jobs by path, all at once, and wait until they are over."""
    data, _ = make_file(64, 64)
    first = service.root / "f00000.dcm"
    first.write_bytes(data)
    for number in range(1, given.count):
        shutil.copyfile(first, service.root / f"f{number:05}.dcm")
    (service.root / "out").mkdir()
    before = _sum_memory(service)
    started = time.monotonic()
    until = started + given.patience
    answers: Counter[str] = Counter()
    with _watch_health(service.url) as health:
        for number in range(given.count):
            if time.monotonic() > until:
                break
            body = {
                "source": str(service.root / f"f{number:05}.dcm"),
                "target_folder": str(service.root / "out"), "to": "rle",
            }  # fmt: skip
            answers[str(service.client.post("/api/jobs", json=body).status_code)] += 1
        submitted = time.monotonic() - started
        done = 0
        while done < given.count and time.monotonic() < until:
            time.sleep(0.5)
            done = sum(one.suffix == ".dcm" for one in (service.root / "out").iterdir())
    seconds = time.monotonic() - started
    after = _sum_memory(service)
    row = {
        "jobs": given.count, "done": done, "submitted": submitted, "rate": done / seconds,
        "answers": dict(answers), "before": before, "after": after, **health,
    }  # fmt: skip
    wrong = [] if done == given.count else [f"{done} of {given.count} are done"]
    return {"rows": [row], "wrong": wrong}


_PARTS: dict[str, Callable[[RunningService, argparse.Namespace], dict[str, Any]]] = {
    "uploads": _measure_uploads, "requests": _measure_requests, "jobs": _measure_jobs,
}  # fmt: skip


def _run_clients(
    url: str, clients: int, send: Callable[[http.client.HTTPConnection, Counter[str]], bool]
) -> Counter[str]:
    """Run clients, each with a connection of its own, until `send` says no; return the answers."""
    answers: Counter[str] = Counter()

    def work() -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        while send(connection, answers):
            pass
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def _send(connection: http.client.HTTPConnection, request: _Request, answers: Counter[str]) -> str:
    """Send a request and count its answer: a status, or the name of an error."""
    method, path, body = request
    headers = {"Content-Type": "application/json"} if path == "/api/jobs" else {}
    try:
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        answer.read()
        got = str(answer.status)
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        got = type(error).__name__
    answers[got] += 1
    return got


@contextmanager
def _watch_health(url: str) -> Iterator[dict[str, float]]:
    """Ask for health meanwhile; the median and the slowest answer are there afterwards."""
    command = [sys.executable, __file__, "--ask-health", url]
    found: dict[str, float] = {}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield found
        text, _ = process.communicate("", timeout=60)
    found.update(json.loads(text))


def _ask_for_health(url: str) -> int:
    """Ask until standard input ends, then print the median and slowest answer in seconds."""
    over = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=wait, daemon=True).start()
    seconds: list[float] = []
    while True:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        started = time.monotonic()
        connection.request("GET", "/health/live")
        connection.getresponse().read()
        seconds.append(time.monotonic() - started)
        connection.close()
        if over.wait(_EVERY):
            break
    print(json.dumps({"median": statistics.median(seconds), "slowest": max(seconds)}))
    return 0


def _sum_memory(service: RunningService) -> int:
    """Return the resident bytes of the service and all processes below it."""
    return sum(map(read_memory, list_processes_below(service.process.pid)))


def _format(name: str, result: dict[str, Any]) -> str:
    """Return rows as a Markdown table, and below it what misses its bounds."""
    keys = list(result["rows"][0])
    lines = [f"### {name}", "", "| " + " | ".join(keys) + " |", "|---" * len(keys) + "|"]
    rows = ([_format_cell(key, row[key]) for key in keys] for row in result["rows"])
    lines += ["| " + " | ".join(cells) + " |" for cells in rows]
    lines += ["", *(f"- misses: {text}" for text in result["wrong"])]
    return "\n".join(lines)


def _format_cell(key: str, value: Any) -> str:
    if key in {"memory", "before", "after"}:
        return f"{value >> 20} MB"
    if isinstance(value, float):
        return f"{value:.3f} s" if key in {"median", "slowest"} else f"{value:.2f}"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {count}" for name, count in value.items()) or "none"
    return str(value)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", default=",".join(_PARTS))
    parser.add_argument("--folder", type=Path, help="where files are made")
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("--jobs", type=int, default=2, help="processes of the service")
    parser.add_argument("--clients", default="8,64,150", help="for uploads")
    parser.add_argument("--seconds", type=float, default=10.0, help="of a round of uploads")
    parser.add_argument("--rounds", type=int, default=3, help="of uploads")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--count", type=int, default=5000, help="jobs by path")
    parser.add_argument("--patience", type=float, default=500.0, help="seconds for the jobs")
    parser.add_argument("--ask-health", metavar="URL", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
