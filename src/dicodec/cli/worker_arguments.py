"""The arguments of `dicodec worker`; nothing heavy is imported for them."""

from __future__ import annotations

from dicodec.cli.convert.arguments import Commands
from dicodec.cli.service_arguments import add_execution

QUEUE = "dicodec.requests"


def add_worker(commands: Commands) -> None:
    """Declare the subcommand."""
    command = commands.add_parser("worker", help="carry out requests from a message broker")
    add = command.add_argument
    add("--broker", metavar="URL",
        help="kafka://, amqp://, nats:// or redis://; or DICODEC_BROKER has it")  # fmt: skip
    add("--queue", default=QUEUE, metavar="NAME",
        help=f"of the requests; other queues are named after it (default {QUEUE})")  # fmt: skip
    add("--root", action="append", default=[], metavar="FOLDER",
        help="that requests may name files in, to read and write; may be repeated")  # fmt: skip
    add("--read-root", action="append", default=[], metavar="FOLDER",
        help="that requests may only name sources in; may be repeated")  # fmt: skip
    add("--store", default="dicodec-jobs.sqlite", metavar="FILE",
        help="what is done once is remembered here; the workers of a machine share it"
        " (default dicodec-jobs.sqlite)")  # fmt: skip
    add("--policy", action="append", default=[], metavar="[NAME=]FILE",
        help="a policy that requests may name, besides the profiles; may be repeated")  # fmt: skip
    add("--mapping", metavar="M",
        help="storage-event, or a file: how messages of another system are understood")  # fmt: skip
    add("--output", metavar="FOLDER", help="for the results, where the mapping asks for one")
    add("--overwrite", action="store_true",
        help="results replace what is there unless a request says no; for workers of several"
        " machines, which share no store")  # fmt: skip
    add("--prefetch", type=int, metavar="N",
        help="messages taken ahead at most (default: 32 for each process)")  # fmt: skip
    add("--silence", type=float, default=30.0, metavar="S",
        help="seconds until messages of a worker that says nothing go to another"
        " (default 30)")  # fmt: skip
    add("--partitions", type=int, default=12, metavar="N",
        help="of Kafka's topic of requests, where it has to be made (default 12)")  # fmt: skip
    add("--events", default="all", choices=("all", "outcomes"),
        help="tell beginnings and progress too (all, default), or outcomes only")  # fmt: skip
    add("--prepare", action="store_true", help="only make the queues that are missing, and end")
    add("--alive-file", metavar="FILE", help="touched while the worker is well")
    add("--show-paths", action="store_true", help="have paths of files in logs and events")
    add_execution(add)
