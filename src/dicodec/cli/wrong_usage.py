"""The error of arguments that cannot be understood; subcommands raise it, too."""

from __future__ import annotations


class WrongUsage(Exception):  # noqa: N818 - the program is well
    """Arguments that cannot be parsed.

    Attributes:
        program: the command, with the subcommand if it is known.
        message: why they cannot be parsed.
    """

    def __init__(self, program: str, message: str) -> None:
        super().__init__(message)
        self.program = program
        self.message = message
