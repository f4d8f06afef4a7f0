"""`dicodec jobs retry`: dead letters of a broker become requests again."""

from __future__ import annotations

import argparse
import sys

from dicodec.cli.printing import SOME_FAILED, WRONG_USAGE, print_error
from dicodec.cli.worker_command import broker_url
from dicodec.errors import DicodecError, InvalidOptionError


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand and return the exit status."""
    from dicodec.service.brokers.broker import BrokerOptions, QueueNames
    from dicodec.service.worker.publishing import send_dead_back

    try:
        how = BrokerOptions(names=QueueNames(arguments.queue))
        url = broker_url(arguments.broker)
        count, left = send_dead_back(url, how, cause=arguments.cause)
    except InvalidOptionError as error:
        print_error(error)
        return WRONG_USAGE
    except DicodecError as error:
        print_error(error)
        return SOME_FAILED
    text = f"{count} sent back" + (f", {left} left for other causes" if left else "")
    print(text, file=sys.stderr)
    return 0
