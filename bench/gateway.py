"""Shows that a gateway loses nothing, what it delivers to whom, how fast, and in how much memory.

The other ends are DCMTK's programs and Orthanc, over loopback.

- kills: objects are sent one by one while senders, receivers, processes that receive or convert,
  and the gateway itself are killed with SIGKILL at random. Every object that was answered with
  Success has to be at both receivers; how many came twice is told.
- rate: many objects through the gateway, beside its receiving half alone: what it receives is made
  safe, with a job for a receiver that is not there, so that nothing is sent.
- dead: many objects to a receiver, alone, beside another one, and beside one that is not there.
- large: one object of 1 GB, as it is and converted, and the peak of every process's memory.
- syntaxes: an image in every transfer syntax to every profile of storescp, and to Orthanc.

    python bench/gateway.py --folder /var/tmp --parts kills,large --kills 200
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from io import BytesIO
from itertools import count, islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np
from pydicom import dcmread

from dicodec import convert
from dicodec.errors import DicodecError
from dicodec.model.transfer_syntax import TRANSFER_SYNTAXES
from helpers.dicom_network import (
    ENVIRONMENT,
    SHIPPED,
    RunningGateway,
    find_free_port,
    running_storescp,
)
from helpers.installed import program
from helpers.orthanc import running_orthanc
from helpers.patience import wait_for
from machine import list_processes_below
from made_file import write_file
from measure import table
from workloads import WORKLOADS

SOURCE = SHIPPED / "CT_small.dcm"
PATIENCE = 600.0
_PREFIX = "1.2.826.0.1.3680043.10."

RECEIVE = """
[receive]
aet = "DICODEC"
port = {port}
spool = "spool"
processes = {processes}
associations = 200
"""
PEER = """
[[peer]]
name = "{name}"
host = "127.0.0.1"
port = {port}
aet = "{title}"
timeout = 120
{more}
"""


def make_config(
    peers: dict[str, tuple[int, str]], *, port: int = 0, processes: int = 2, title: str = "STORE"
) -> str:
    """Return a configuration that sends everything to every peer: name, port, further keys."""
    text = RECEIVE.format(port=port, processes=processes)
    text += f"[[route]]\nto = {[*peers]}\n"
    for name, (at, more) in peers.items():
        text += PEER.format(name=name, port=at, title=title, more=more)
    return text


def make_objects(folder: Path, count: int) -> dict[str, Path]:
    """Write CT images that differ in their SOP Instance UID, and return them by it."""
    return dict(islice(yield_objects(folder), count))


def yield_objects(folder: Path) -> Iterator[tuple[str, Path]]:
    """Write CT images without end, and yield the SOP Instance UID and the path of each."""
    content = SOURCE.read_bytes()
    known = str(dcmread(SOURCE, stop_before_pixels=True).SOPInstanceUID).encode()
    folder.mkdir(parents=True, exist_ok=True)
    digits = len(known) - len(_PREFIX)
    for number in count():
        instance = f"{_PREFIX}{10 ** (digits - 1) + number}".encode()  # no zero comes first
        assert len(instance) == len(known)
        path = folder / f"{number}.dcm"
        path.write_bytes(content.replace(known, instance))
        yield instance.decode(), path


GATEWAY, RECEIVES, FORKS, CONVERTS = (
    "gateway", "process that receives", "template of converters", "process that converts",
)  # fmt: skip


def list_kinds(gateway: int) -> dict[int, str]:
    """Return what each process of a gateway does."""
    found = {}
    for pid in list_processes_below(gateway):
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            if pid == gateway:
                found[pid] = GATEWAY
            elif "receiver_process" in words:
                found[pid] = RECEIVES
            elif "template_process" in words:  # workers are forked from it
                found[pid] = FORKS if parent == gateway else CONVERTS
    return found


def read_peak(pid: int) -> int:
    """Return the peak of a process's resident memory in MB."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) // 1000 if found else 0


# Kills.


class Receiver:
    """A storescp that is started again when it was killed."""

    def __init__(self, folder: Path, *profile: str) -> None:
        self.folder = folder
        self.port = find_free_port()
        self._profile = profile
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True)

    def start(self) -> None:
        """Start it."""
        command = [program("storescp"), *self._profile, "-od", str(self.folder), "+uf",
                   "-aet", "STORE", str(self.port)]  # fmt: skip
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT
        )

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def find(self) -> dict[str, list[float]]:
        """Return when it got each object whole."""
        found: dict[str, list[float]] = {}
        for path in self.folder.iterdir():
            try:
                data_set = dcmread(path)
                if len(data_set.PixelData) > 0:
                    times = found.setdefault(str(data_set.SOPInstanceUID), [])
                    times.append(path.stat().st_mtime)
            except Exception:
                continue
        return found


class Senders:
    """Threads that send objects, one in an association, until told that it is enough.

    What was not answered with Success is sent again, as a scanner would.
    """

    def __init__(self, port: int, objects: Iterator[tuple[str, Path]], threads: int) -> None:
        self.succeeded: set[str] = set()
        self.tries: Counter[str] = Counter()
        self.enough = threading.Event()
        self._port = port
        self._objects = objects
        self._again: list[tuple[str, Path]] = []
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._threads = [threading.Thread(target=self._work) for _ in range(threads)]

    def start(self) -> None:
        """Start them."""
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Send what was not answered with Success, and end."""
        self.enough.set()
        for thread in self._threads:
            thread.join()

    def kill_one(self) -> bool:
        """Kill a sender; return whether there was one."""
        with self._lock:
            chosen = random.choice([*self._running]) if self._running else None
        if chosen is not None:
            chosen.kill()
        return chosen is not None

    def _work(self) -> None:
        while True:
            with self._lock:
                if self._again:
                    instance, path = self._again.pop()
                elif self.enough.is_set():
                    return
                else:
                    instance, path = next(self._objects)
            command = [program("storescu"), "-v", "-xs", "-to", "20", "-td", "60", "-aec",
                       "DICODEC", "127.0.0.1", str(self._port), str(path)]  # fmt: skip
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                env=ENVIRONMENT,
            )  # fmt: skip
            with self._lock:
                self._running.add(process)
            said = process.communicate()[0]
            succeeded = "Received Store Response (Success)" in said
            with self._lock:
                self._running.discard(process)
                self.tries[instance] += 1
                if succeeded:
                    self.succeeded.add(instance)
                else:
                    self._again.append((instance, path))
            if not succeeded:
                time.sleep(0.2)


def try_kills(folder: Path, kills: int, seed: int) -> str:
    """Kill processes at random, and return what came of it."""
    random.seed(seed)
    receivers = [Receiver(folder / "A", "+xa"), Receiver(folder / "B", "+xv")]
    for receiver in receivers:
        receiver.start()
    port = find_free_port()
    config = make_config(
        {"A": (receivers[0].port, ""), "B": (receivers[1].port, 'prefer = ["jpeg2000-lossless"]')},
        port=port,
    )
    arguments = ("--jobs", "1", "--retry-after", "0.3", "--attempts", "20", "--lease", "5")
    gateway = RunningGateway(folder / "gateway", config, *arguments)
    senders = Senders(port, yield_objects(folder / "objects"), 4)
    killed: list[tuple[float, str]] = []

    def kill_child(kind: str) -> bool:
        children = [pid for pid, one in list_kinds(gateway.process.pid).items() if one == kind]
        if not children:
            return False
        with suppress(ProcessLookupError):
            os.kill(random.choice(children), signal.SIGKILL)
        return True

    def kill_gateway() -> bool:
        gateway.kill()
        gateway.start()
        return True

    def kill_receiver() -> bool:
        receiver = random.choice(receivers)
        receiver.kill()
        time.sleep(random.random() * 0.5)
        receiver.start()
        return True

    kinds: dict[str, tuple[int, Callable[[], bool]]] = {
        RECEIVES: (4, partial(kill_child, RECEIVES)),
        CONVERTS: (4, partial(kill_child, CONVERTS)),
        FORKS: (1, partial(kill_child, FORKS)),
        GATEWAY: (2, kill_gateway),
        "receiver": (4, kill_receiver),
        "sender": (4, senders.kill_one),
    }
    senders.start()
    while len(killed) < kills:
        wanted = len(senders.succeeded) + random.randrange(12)  # so that something is under way
        while len(senders.succeeded) < wanted:
            time.sleep(0.02)
        time.sleep(random.random() * 0.2)
        (kind,) = random.choices([*kinds], [weight for weight, _ in kinds.values()])
        began = time.time()
        if kinds[kind][1]():
            killed.append((began, kind))
    senders.finish()
    gateway.wait_until_empty(PATIENCE)
    lines = [f"kills: {len(killed)}, {dict(Counter(kind for _, kind in killed))}"]
    lines.append(f"objects: {len(senders.succeeded)}, sent {senders.tries.total()} times")
    for receiver in receivers:
        found = receiver.find()
        lost = senders.succeeded - found.keys()
        twice = {instance: times for instance, times in found.items() if len(times) > 1}
        lines.append(
            f"receiver {receiver.folder.name}: {len(senders.succeeded)} with Success,"
            f" {len(lost)} lost, {len(twice)} more than once, after these kills:"
            f" {dict(Counter(_find_kill(killed, min(times)) for times in twice.values()))}"
        )
        if lost:
            lines.append(f"  lost: {sorted(lost)[:5]}")
        receiver.kill()
    strays = [*(gateway.spool / "strays").iterdir()]
    lines.append(f"dead: {len(gateway.events('dead'))}, strays: {len(strays)}")
    gateway.__exit__()
    return "\n".join(lines)


def _find_kill(killed: list[tuple[float, str]], arrived: float) -> str:
    """Return what was killed next when an object had arrived for the first time."""
    return next((kind for began, kind in killed if began > arrived - 0.1), "none")


# Rates.


def send_all(port: int, paths: list[Path], associations: int) -> float:
    """Send files in some associations at once, and return the seconds."""
    began = time.monotonic()
    processes = [
        subprocess.Popen(
            [
                program("dcmsend"),
                "-q",
                "-aec",
                "DICODEC",
                "127.0.0.1",
                str(port),
                *map(str, paths[start::associations]),
            ],
            stdout=subprocess.DEVNULL,
            env=ENVIRONMENT,
        )
        for start in range(associations)
    ]
    for process in processes:
        process.wait()
    return time.monotonic() - began


def measure_rates(folder: Path, count: int) -> str:
    """Return how fast objects go through, beside the gateway's receiver alone, in rounds."""
    with running_storescp(folder / "out", "+xa", "+B", "--fork") as port:
        alone = {"GONE": (find_free_port(), "")}
        through = {"A": (port, "associations = 4")}
        return _compare(folder, count, {"receiving alone": alone, "through": through})


def measure_dead(folder: Path, count: int) -> str:
    """Return how fast a receiver gets objects, alone, beside another, and beside one not there."""
    with (
        running_storescp(folder / "out", "+xa", "+B", "--fork") as port,
        running_storescp(folder / "other", "+xa", "+B", "--fork") as other,
    ):
        alone = {"A": (port, "associations = 4")}
        both = {**alone, "B": (other, "associations = 4")}
        dead = {**alone, "GONE": (find_free_port(), "")}
        return _compare(folder, count, {"alone": alone, "both alive": both, "one dead": dead})


def _compare(folder: Path, count: int, cases: dict[str, dict[str, tuple[int, str]]]) -> str:
    """Return rates and processor times of cases in turn, because others use the machine, too."""
    objects = [*make_objects(folder / "objects", count // ROUNDS).values()]
    seconds = dict.fromkeys(cases, 0.0)
    used: dict[str, Counter[str]] = {name: Counter() for name in cases}
    for number in range(ROUNDS):
        for name, peers in cases.items():
            place = folder / f"{name.replace(' ', '-')}-{number}"
            with RunningGateway(place, make_config(peers), "--jobs", "1") as gateway:
                before = _read_times(gateway.process.pid)
                began = time.monotonic()
                send_all(gateway.port, objects, 4)
                if "A" in peers:
                    wait_for(partial(_has_all, gateway), PATIENCE)
                seconds[name] += time.monotonic() - began
                used[name].update(_read_times(gateway.process.pid))
                used[name].subtract(before)
    total = len(objects) * ROUNDS
    lines = [f"{total} objects in {ROUNDS} rounds"]
    first = next(iter(cases))
    for name in cases:
        each = {kind: round(one / total, 2) for kind, one in used[name].items() if one}
        ratio = seconds[first] / seconds[name]
        lines.append(
            f"{name}: {total / seconds[name]:.0f} objects/s, {ratio:.2f} of {first};"
            f" ms of processor time for an object: {each}"
        )
    return "\n".join(lines)


ROUNDS = 5


def _read_times(gateway: int) -> Counter[str]:
    """Return the milliseconds of processor time of a gateway's processes, by what they do."""
    found: Counter[str] = Counter()
    for pid, kind in list_kinds(gateway).items():
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks = int(fields[11]) + int(fields[12])
            found[kind] += 1000 * ticks // os.sysconf("SC_CLK_TCK")
    return found


def _has_all(gateway: RunningGateway) -> bool:
    """Return whether the receiver A has everything."""
    return not [*(gateway.spool / "objects").glob("*.A.*")]


# Memory.


def measure_memory(folder: Path) -> str:
    """Return the peak of every process for an object of 1 GB."""
    big = folder / "big.dcm"
    write_file(big, WORKLOADS["ct-1gb"])
    lines = [f"an object of {big.stat().st_size / 1e9:.2f} GB"]
    for name, profile, more in (
        ("as it is", "+xa", ""),
        ("to RLE", "+xr", 'prefer = ["rle"]'),
        ("to JPEG 2000", "+xv", 'prefer = ["jpeg2000-lossless"]'),
    ):
        place = folder / name.replace(" ", "-")
        with running_storescp(place / "out", profile, "+B") as port:
            config = make_config({"A": (port, more)}, processes=1)
            with RunningGateway(place, config, "--jobs", "1") as gateway:
                began = time.monotonic()
                send_all(gateway.port, [big], 1)
                gateway.wait_until_empty(PATIENCE)
                seconds = time.monotonic() - began
                peaks = {
                    kind: read_peak(pid) for pid, kind in list_kinds(gateway.process.pid).items()
                }
        lines.append(f"{name}: {seconds:.0f} s, peaks in MB {peaks}")
    return "\n".join(lines)


# Syntaxes.

PROFILES = (
    "+x=",
    "+xi",
    "+xe",
    "+xb",
    "+xs",
    "+xy",
    "+xx",
    "+xv",
    "+xw",
    "+xt",
    "+xu",
    "+xr",
    "+xd",
    "+xa",
)
"""Of storescp: what it prefers; each takes the native syntaxes, too."""


@contextmanager
def _run_peers(folder: Path) -> Iterator[dict[str, tuple[int, str]]]:
    with ExitStack() as stack:
        peers = {}
        for number, profile in enumerate(PROFILES):
            port = stack.enter_context(running_storescp(folder / f"P{number}", profile, "+B"))
            peers[f"P{number}"] = (port, "")
        yield peers


def try_syntaxes(folder: Path) -> str:
    """Return a table: what each receiver got of an image in each transfer syntax."""
    images = make_images(folder / "images")
    rows: list[list[str]] = []
    with (
        _run_peers(folder) as peers,
        running_orthanc(folder / "orthanc", OverwriteInstances=True) as orthanc,
    ):
        config = make_config(peers) + PEER.format(
            name="ORTHANC", port=orthanc.port, title="ORTHANC", more=""
        )
        config = config.replace(f"to = {[*peers]}", f"to = {[*peers, 'ORTHANC']}")
        with RunningGateway(folder / "gateway", config, "--jobs", "1") as gateway:
            for name, path in images.items():
                _send_object(gateway.port, path)
                wanted = (len(peers) + 1) * (len(rows) + 1)
                wait_for(partial(_have_ended, gateway, wanted), PATIENCE)
                rows.append([name, *_judge_row(gateway, folder, peers, path, orthanc)])
    return table([["from", *PROFILES, "Orthanc"], *rows])


def make_images(folder: Path) -> dict[str, Path]:
    """Return an image in each transfer syntax that can be written."""
    folder.mkdir(parents=True)
    found = {}
    for syntax in TRANSFER_SYNTAXES:
        if not syntax.writes:
            continue
        path = folder / f"{syntax.name}.dcm"
        for source in (SOURCE, SHIPPED / "SC_rgb_small_odd.dcm"):
            try:
                convert(source, path, to=syntax.name, lossy=True)
            except DicodecError:
                continue
            found[syntax.name] = path
            break
    return found


def _send_object(port: int, path: Path) -> None:
    from pynetdicom import AE, _config, build_context
    from pynetdicom.dsutils import split_dataset

    _config.STORE_SEND_CHUNKED_DATASET = True
    meta, _ = split_dataset(path)
    context = build_context(meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID)
    opened = AE("SENDER").associate("127.0.0.1", port, [context], "DICODEC")
    status: Any = opened.send_c_store(path)
    opened.release()
    assert status.Status == 0, status


def _have_ended(gateway: RunningGateway, count: int) -> bool:
    return len(gateway.events("done")) + len(gateway.events("dead")) >= count


def _judge_row(
    gateway: RunningGateway,
    folder: Path,
    peers: dict[str, tuple[int, str]],
    path: Path,
    orthanc: Any,
) -> list[str]:
    instance = str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)
    source = folder / "source.dcm"
    convert(path, source, to="explicit-le", overwrite=True)
    wanted = dcmread(source).pixel_array
    cells = []
    for peer in (*peers, "ORTHANC"):
        dead = [line for line in gateway.events("dead")
                if line["trace"] == instance and line["job"].endswith(f".{peer}")]  # fmt: skip
        if dead:
            cells.append(dead[-1]["code"])
            continue
        if peer == "ORTHANC":
            content = [orthanc.read_file(one) for one in orthanc.list_instances()]
            (got,) = (one for one in content if _read_instance(one) == instance)
        else:
            got = max((folder / peer).iterdir(), key=lambda one: one.stat().st_mtime).read_bytes()
        back = BytesIO()
        convert(BytesIO(got), back, to="explicit-le")
        syntax = dcmread(BytesIO(got), stop_before_pixels=True).file_meta.TransferSyntaxUID
        result = dcmread(BytesIO(back.getvalue())).pixel_array
        exact = result.shape == wanted.shape and np.array_equal(result, wanted)
        cells.append(f"{_name(syntax)}{'' if exact else ' NOT EXACT'}")
    return cells


def _read_instance(content: bytes) -> str:
    return str(dcmread(BytesIO(content), stop_before_pixels=True).SOPInstanceUID)


def _name(uid: str) -> str:
    return next((one.name for one in TRANSFER_SYNTAXES if one.uid == uid), uid)


PARTS: dict[str, Callable[[Path, argparse.Namespace], str]] = {
    "kills": lambda folder, given: try_kills(folder, given.kills, given.seed),
    "rate": lambda folder, given: measure_rates(folder, given.objects),
    "dead": lambda folder, given: measure_dead(folder, given.objects),
    "large": lambda folder, _: measure_memory(folder),
    "syntaxes": lambda folder, _: try_syntaxes(folder),
}


def main() -> None:
    """Run the parts that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    for name in given.parts.split(","):
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            print(f"## {name}\n\n{PARTS[name](Path(folder), given)}\n", flush=True)


if __name__ == "__main__":
    main()
