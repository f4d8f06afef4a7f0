"""The gateway: start the processes that receive and the lanes that send, and keep them running."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress

from dicodec.errors import InvalidOptionError
from dicodec.model.environment import make_child_environment, read_collector_secrets
from dicodec.model.records import dataclass
from dicodec.model.wording import describe_fault
from dicodec.service.gateway.config import GatewayConfig
from dicodec.service.gateway.lane import Lane
from dicodec.service.gateway.settling import ReportDelivery
from dicodec.service.gateway.spool import STORE_NAME, Spool
from dicodec.service.jobs.confinement import AllowedRoots
from dicodec.service.jobs.execution import Executor
from dicodec.service.jobs.execution_work import JobOptions
from dicodec.service.jobs.logs import Log
from dicodec.service.jobs.runtime import ExecutionOptions, share_memory
from dicodec.service.jobs.store.store import JobStore
from dicodec.service.jobs.store.tables import JobState
from dicodec.service.jobs.tracing import Tracing

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import IO

_BACKLOG = 256
_LISTEN_SECONDS = 5.0
"""How long an address may be in use until that is an error."""

_RESTART_SECONDS = 1.0
"""How long a receiving process that ended stays down, so that a fault does not take all time."""

_REPORT_SECONDS = 0.5
"""How often answers about storage commitment are looked for that senders have not got."""

_CLEANING_SECONDS = 3600.0
"""How often old jobs are removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOptions:
    """The operator's options of one gateway.

    Attributes:
        path: absolute path of the configuration.
        store: URL of the job store; None for a file in the spool.
        traces: URL of a collector of traces, for the processes that receive; None for none.
        execution: options for conversions and attempts.
    """

    path: str
    store: str | None
    traces: str | None
    execution: ExecutionOptions


class Gateway:
    """A running gateway.

    Args:
        config: the configuration.
        options: the operator's options.
        log: gets a line for each attempt and each failure.
        report: see `ReportDelivery`.
        tracing: records deliveries.

    Attributes:
        lanes: the lanes by the names of their peers.
        port: the port that it listens on.
    """

    def __init__(
        self,
        config: GatewayConfig,
        options: GatewayOptions,
        log: Log,
        report: ReportDelivery,
        tracing: Tracing,
    ) -> None:
        self._config = config
        self._options = options
        self._log = log
        self._report = report
        self._tracing = tracing
        self._stopping = threading.Event()
        self._ready = threading.Semaphore(0)
        self._receivers: dict[int, subprocess.Popen[bytes]] = {}
        self._threads: list[threading.Thread] = []
        self._store: JobStore | None = None
        self.lanes: Mapping[str, Lane] = {}
        self.port = 0

    def run(self, ended: threading.Event) -> None:
        """Receive and send until an event is set.

        Raises:
            InvalidOptionError: the address cannot be listened on, or another gateway has the spool.
        """
        execution = self._options.execution
        with ExitStack() as stack:
            spool = Spool(self._config.receive.spool)
            stack.enter_context(spool.lock())
            place = self._options.store or str(spool.path / STORE_NAME)
            listening = stack.enter_context(self._listen())
            executor = stack.enter_context(
                Executor(
                    JobOptions(roots=AllowedRoots()),
                    jobs=execution.jobs,
                    timeout=execution.timeout,
                    memory=execution.memory or share_memory(execution.jobs or os.cpu_count() or 1),
                )
            )
            stores = {
                name: stack.enter_context(
                    JobStore(place, lease=execution.lease, home=spool.name_home(name), alone=True)
                )
                for name in self._config.peers
            }
            self._store = next(iter(stores.values()))
            self._clean(spool, self._store)
            self.lanes = {
                name: Lane(
                    peer, self._config.receive.aet, spool, stores[name], executor,
                    execution.retries, self._log, self._report, self._tracing,
                )
                for name, peer in self._config.peers.items()
            }  # fmt: skip
            for lane in self.lanes.values():
                lane.start()
            self._start_receivers(place, listening)
            self._start_reporter(spool)
            self._log.write("info", "receiving", port=self.port, aet=self._config.receive.aet)
            while not ended.wait(_CLEANING_SECONDS):
                self._remove_old_jobs(spool, self._store)
            self._stop(time.monotonic() + execution.drain)

    def read_peers(self) -> dict[tuple[str, ...], float]:
        """Return by the name of each peer whether it takes objects: 1 or 0."""
        return {(name,): float(not lane.state.failures) for name, lane in self.lanes.items()}

    def count_deliveries(self) -> dict[tuple[str, ...], float]:
        """Return the numbers of deliveries by peer and state."""
        if self._store is None:
            return {}
        counts = self._store.count_by_tenant()
        return {
            (name, str(state)): float(counts.get((name, state), 0))
            for name in self._config.peers
            for state in JobState
        }

    def wait_until_ready(self, seconds: float) -> bool:
        """Wait until all processes receive; return whether they do."""
        count = self._config.receive.processes
        return all(self._ready.acquire(timeout=seconds) for _ in range(count))

    def _listen(self) -> socket.socket:
        address, port = self._config.receive.address, self._config.receive.port
        until = time.monotonic() + _LISTEN_SECONDS
        while True:
            try:
                family = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][0]
                listening = socket.create_server((address, port), family=family, backlog=_BACKLOG)
                break
            except OSError as cause:
                if cause.errno == errno.EADDRINUSE and time.monotonic() < until:
                    time.sleep(0.2)  # a process of a gateway that was killed is about to end
                    continue
                raise InvalidOptionError(
                    f"cannot listen on {address} port {port}: {cause.strerror or cause}"
                ) from cause
        self.port = listening.getsockname()[1]
        return listening

    # Receiving processes.

    def _start_receivers(self, place: str, listening: socket.socket) -> None:
        for number in range(self._config.receive.processes):
            thread = threading.Thread(
                target=self._keep_receiver, args=(number, place, listening), daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def _start_reporter(self, spool: Spool) -> None:
        from dicodec.service.gateway.commitment_answering import CommitmentReporter

        reporter = CommitmentReporter(self._config, spool, self._log)

        def report() -> None:
            while not self._stopping.wait(_REPORT_SECONDS):
                try:
                    reporter.turn()
                except Exception as cause:  # such as a note that cannot be read
                    self._log.write("error", "storage commitment", message=describe_fault(cause))

        thread = threading.Thread(target=report, name="dicodec-reports", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _keep_receiver(self, number: int, place: str, listening: socket.socket) -> None:
        """Run a receiving process, and another one whenever it ends."""
        command = [
            sys.executable, "-m", "dicodec.service.gateway.receiver_process", self._options.path,
            str(number), str(listening.fileno()), str(self._options.execution.drain),
        ]  # fmt: skip
        given = {
            "store": place,
            "traces": self._options.traces,
            "secrets": read_collector_secrets() if self._options.traces else {},
        }
        first = True
        while not self._stopping.is_set():
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=(listening.fileno(),),
                start_new_session=True,  # a terminal's Ctrl-C is for the gateway to answer
                env=make_child_environment(OPENBLAS_NUM_THREADS="1"),
            )
            self._receivers[number] = process
            assert process.stdin is not None
            with suppress(BrokenPipeError):
                process.stdin.write(f"{json.dumps(given)}\n".encode())
                process.stdin.flush()
            if self._stopping.is_set():
                process.terminate()
            assert process.stdout is not None
            self._hear(process.stdout, announces=first)
            first = False
            status = process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
            if not self._stopping.is_set():
                self._log.write("error", "a receiving process ended", status=status)
                self._stopping.wait(_RESTART_SECONDS)

    def _hear(self, stream: IO[bytes], *, announces: bool) -> None:
        """Have the lanes look for jobs whenever a process says that there are some."""
        while os.read(stream.fileno(), 4096):
            if announces:
                announces = False
                self._ready.release()
            for lane in self.lanes.values():
                lane.look()

    def _stop(self, until: float) -> None:
        self._stopping.set()
        for process in self._receivers.values():
            with suppress(ProcessLookupError):
                process.terminate()
        for lane in self.lanes.values():
            lane.ask_to_stop()
        for lane in self.lanes.values():
            lane.stop(until)
        for thread in self._threads:
            thread.join(max(1.0, until - time.monotonic()))
        for process in self._receivers.values():
            if process.poll() is None:
                process.kill()

    # Cleaning.

    def _clean(self, spool: Spool, store: JobStore) -> None:
        """Remove an earlier gateway's remains, and set objects apart that nobody was told of."""
        spool.clean()
        strays = 0
        for job in spool.list_jobs():
            known = store.find(job)
            if known is None:
                spool.set_apart(job)
                strays += 1
            elif known.state.over and known.error_code is None:
                spool.forget(job)
        if strays:
            self._log.write("warning", "objects without a job were set apart", objects=strays)

    def _remove_old_jobs(self, spool: Spool, store: JobStore) -> None:
        """Forget jobs that ended long ago; the object of a dead one goes with it."""
        before = time.time() - self._config.receive.keep
        while removed := store.remove_finished(before):
            for job in removed:
                spool.forget(job.id)
