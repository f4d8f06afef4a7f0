"""Threads for what takes long without Python's lock: codecs, deflate.

`concurrent.futures` does the same and more. It loads `logging`, `traceback` and others, which takes
10 ms: a third of what dicodec itself takes to start.
"""

from __future__ import annotations

import threading
from _thread import allocate_lock
from contextlib import suppress
from queue import SimpleQueue

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self


def count_startable(most: int) -> int:
    """Return how many threads the system lets this process start just now.

    For libraries that start threads of their own, and end the process if they cannot.

    Args:
        most: threads to try.
    """
    ended = threading.Event()
    started: list[threading.Thread] = []
    with suppress(RuntimeError):
        for _ in range(most):
            thread = threading.Thread(target=ended.wait, daemon=True)
            thread.start()
            started.append(thread)
    ended.set()
    for thread in started:
        thread.join()
    return len(started)


class Task[Result]:
    """A call that a thread makes; see `Threads.submit`."""

    __slots__ = ("_call", "_ended", "_fault", "_result")

    _result: Result

    def __init__(self, call: Callable[[], Result]) -> None:
        self._call = call
        self._fault: BaseException | None = None
        self._ended = allocate_lock()
        self._ended.acquire()

    def run(self) -> None:
        """Make the call; once only."""
        call = self._call
        del self._call  # what it is given may be large, and the result may wait for its turn
        try:
            self._result = call()
        except BaseException as fault:  # whoever waits gets it
            self._fault = fault
        self._ended.release()

    def wait(self) -> Result:
        """Wait for the call, and return what it returned or raise what it raised; once only."""
        self._ended.acquire()
        fault, self._fault = self._fault, None
        if fault is None:
            return self._result
        try:
            raise fault
        finally:
            del fault  # its traceback has this frame, which would keep it and all it refers to


class Threads:
    """Threads that run tasks in the order they are submitted in. Always close them.

    Where no more threads can be started, those that run do the work; without any, `submit` does it.

    Args:
        most: how many may run; each of the first tasks starts one.
        name: of the threads, as a debugger shows it.
    """

    def __init__(self, most: int, name: str) -> None:
        self._left = most
        self._name = name
        self._tasks: SimpleQueue[Task[object] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit[Result](self, call: Callable[[], Result]) -> Task[Result]:
        """Have a call made, and return the task to wait for."""
        task = Task(call)
        if self._left:
            self._start_thread()
        if self._threads:
            self._tasks.put(task)
        else:
            task.run()
        return task

    def close(self) -> None:
        """Drop the tasks that are not begun, and wait for the others; once is enough."""
        self._closed = True
        for _ in self._threads:
            self._tasks.put(None)
        while self._threads:
            self._threads[-1].join()
            self._threads.pop()

    def _start_thread(self) -> None:
        # Who does not close them must not keep Python from ending.
        thread = threading.Thread(target=self._run_tasks, name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system, or a container, has a limit
            self._left = 0
        else:
            self._left -= 1
            self._threads.append(thread)

    def _run_tasks(self) -> None:
        while (task := self._tasks.get()) is not None:
            if not self._closed:
                task.run()
            del task  # its result may be large, and the next task may come late
