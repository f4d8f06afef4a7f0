"""Which transfer syntaxes a user may ask for."""

from __future__ import annotations

from dicodec.errors import UnsupportedTargetError
from dicodec.model.transfer_syntax import Storage, TransferSyntax, by_name, writable


def target_syntax(name: str) -> TransferSyntax:
    """Return the transfer syntax that a user names as a target.

    Raises:
        UnsupportedTargetError: no such name, or one that is never written; what would work is said.
    """
    syntax = by_name(name)
    if syntax is None:
        raise UnsupportedTargetError(
            f"there is no transfer syntax {name!r}", hint=f"there are {_writable_names()}"
        )
    if not syntax.writes and syntax.storage is not Storage.VIDEO:
        raise UnsupportedTargetError(
            f"{syntax.name} ({syntax.title}) is not written: {syntax.why_not}",
            hint=f"possible are {_writable_names()}",
        )
    return syntax


def _writable_names() -> str:
    return ", ".join(syntax.name for syntax in writable())
