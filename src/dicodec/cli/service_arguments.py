"""The arguments of `dicodec serve`, `watch` and `submit`; nothing heavy is imported for them."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from dicodec.cli.convert.arguments import Commands
from dicodec.cli.sizes import size
from dicodec.model.option_table import TO

type Add = Callable[..., argparse.Action]


def add_serve(commands: Commands) -> None:
    """Declare the subcommand."""
    command = commands.add_parser("serve", help="serve a page and an HTTP interface to a queue")
    add = command.add_argument
    add("--host", default="127.0.0.1", metavar="ADDRESS",
        help="address to listen on (default 127.0.0.1: this machine only)")  # fmt: skip
    add("--port", type=int, default=8765, metavar="N", help="default 8765; 0 for any free one")
    add("--data", metavar="FOLDER",
        help="for queue, uploads and results (default ~/.local/state/dicodec)")  # fmt: skip
    add("--root", action="append", default=[], metavar="FOLDER",
        help="that jobs by path may read from and write to; may be repeated")  # fmt: skip
    add("--token-file", metavar="FILE",
        help="holds the token that clients have to show; or DICODEC_TOKEN has it")  # fmt: skip
    add("--allowed-host", action="append", default=[], metavar="NAME",
        help="name that the service may be asked by; may be repeated")  # fmt: skip
    add("--upload-limit", type=size, default=16 << 30, metavar="SIZE",
        help="of a file, as 500M or 16G (default 16G)")  # fmt: skip
    add("--rate", type=int, default=1200, metavar="N",
        help="requests for work a minute from one address (default 1200; 0: any)")  # fmt: skip
    add("--concurrent", type=int, default=16, metavar="N",
        help="uploads and conversions at once (default 16)")  # fmt: skip
    add("--keep", type=float, default=24, metavar="HOURS",
        help="how long uploads and their results are kept (default 24)")  # fmt: skip
    add("--policy", action="append", default=[], metavar="[NAME=]FILE",
        help="a policy that jobs may name, besides the profiles; may be repeated")  # fmt: skip
    add_execution(add)
    add("--show-paths", action="store_true", help="have paths of files in logs")


def add_watch(commands: Commands) -> None:
    """Declare the subcommand."""
    command = commands.add_parser("watch", help="convert files that appear in a folder")
    add = command.add_argument
    add("folder", metavar="FOLDER", help="what is watched, with all that is below")
    add("-o", "--output", required=True, metavar="OUTPUT", help="folder for the results")
    _add_wish(add)
    add("--done", metavar="FOLDER", help="sources that are done are moved there; else they stay")
    add("--failed", metavar="FOLDER", help="sources that failed are moved there; else they stay")
    add("--queue", metavar="FILE",
        help="what is remembered (default OUTPUT/.dicodec-watch.sqlite)")  # fmt: skip
    add("--interval", type=float, default=2.0, metavar="S",
        help="seconds between two looks at the folder (default 2)")  # fmt: skip
    add("--settle", type=float, default=5.0, metavar="S",
        help="seconds for which a file must not have changed (default 5)")  # fmt: skip
    add("--once", action="store_true", help="convert what is there, and end")
    add_execution(add)
    add("--show-paths", action="store_true", help="have paths of files in logs")


def add_submit(commands: Commands) -> None:
    """Declare the subcommand."""
    command = commands.add_parser("submit", help="put files into a queue to be converted")
    add = command.add_argument
    add("source", nargs="+", metavar="SOURCE", help="a file, a folder, or a prefix of a bucket")
    add("-o", "--output", required=True, metavar="OUTPUT",
        help="folder for the results, as whoever converts them sees it")  # fmt: skip
    _add_wish(add)
    queue = command.add_mutually_exclusive_group()
    queue.add_argument("--server", metavar="URL",
        help="a `dicodec serve` (default http://127.0.0.1:8765)")  # fmt: skip
    queue.add_argument("--broker", metavar="URL", help="kafka://, amqp://, nats:// or redis://")
    add("--queue", metavar="FILE|NAME",
        help="a queue's file on this machine; with --broker, its queue's name")  # fmt: skip
    add("--token-file", metavar="FILE", help="holds the server's token; or DICODEC_TOKEN has it")
    add("--priority", type=int, default=0, metavar="0-9", help="9 is the most urgent (default 0)")
    add("--tenant", metavar="NAME", help="for whom")
    add("--trace", metavar="ID", help="by which other systems know what this belongs to")
    add("--json", action="store_true", help="print what was done as JSON")
    add("-q", "--quiet", action="store_true", help="print errors only")


def _add_wish(add: Add) -> None:
    add(TO.switch, metavar=TO.metavar, help=TO.help)
    add("--policy", metavar="P", help="name or file of a policy that decides for each file")
    add("--option", action="append", default=[], metavar="NAME=VALUE",
        help="of the conversion, as in a request: quality=85; may be repeated")  # fmt: skip


def add_execution(add: Add) -> None:
    """Declare how files are converted, and how often that is tried."""
    add("--jobs", type=int, metavar="N", help="processes that convert (default: one a core)")
    add("--timeout", type=float, default=3600.0, metavar="S",
        help="seconds that one file may take (default 3600)")  # fmt: skip
    add("--memory", type=size, metavar="SIZE", help="that one process may take, as 2G")
    add("--attempts", type=int, default=5, metavar="N",
        help="at a file whose failure may pass (default 5)")  # fmt: skip
    add("--retry-after", type=float, default=5.0, metavar="S",
        help="seconds until the second attempt; later ones wait longer (default 5)")  # fmt: skip
    add("--lease", type=float, default=15.0, metavar="S",
        help="seconds until a killed process's work is taken up again (default 15)")  # fmt: skip
    add("--drain", type=float, default=30.0, metavar="S",
        help="seconds that conversions get to finish on SIGTERM (default 30)")  # fmt: skip
