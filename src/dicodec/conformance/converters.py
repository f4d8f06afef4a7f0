"""Converters: which commands convert a file from one transfer syntax to another."""

from __future__ import annotations

import fnmatch
import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from dicodec.errors import InvalidOptionError
from dicodec.model.records import dataclass
from dicodec.model.similar_names import suggest
from dicodec.model.transfer_syntax import find_by_name

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

KNOWN = Path(__file__).with_name("converters.toml")
"""The converters whose flags are known."""

FLAGS = "{flags}"
_VERSION_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Route:
    """A command for some conversions.

    Attributes:
        command: words with the placeholders {flags}, {in}, {out}, {out_folder}, {to} and {uid}.
        sources: patterns of the transfer syntaxes that it reads.
        flags: by target; None if any target may be named by {to} or {uid}.
    """

    command: tuple[str, ...]
    sources: tuple[str, ...] = ("*",)
    flags: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Converter:
    """A converter under examination.

    Attributes:
        name: for tables.
        routes: its commands; the first that fits a conversion is run.
        version: the words that print its version; empty if there are none.
        variables: of the environment, beside those of this process.
    """

    name: str
    routes: tuple[Route, ...]
    version: tuple[str, ...] = ()
    variables: Mapping[str, str] | None = None

    def find_command(
        self, made_of: str, made_to: str, source: Path, target: Path
    ) -> list[str] | None:
        """Return the words of the command for a conversion; None if the converter has none."""
        for route in self.routes:
            if not any(fnmatch.fnmatchcase(made_of, one) for one in route.sources):
                continue
            if route.flags is None or made_to in route.flags:
                flags = "" if route.flags is None else route.flags[made_to]
                return _fill_in(route.command, flags, made_to, source, target)
        return None

    @property
    def missing(self) -> str:
        """The first program that this machine lacks; "" if it has all of them."""
        for route in self.routes:
            if shutil.which(route.command[0]) is None:
                return route.command[0]
        return ""

    def ask_version(self) -> str:
        """Return what the converter says of its version: the first word that looks like one."""
        if not self.version:
            return ""
        try:
            run = subprocess.run(
                self.version,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_VERSION_SECONDS,
                check=False,
                env={**os.environ, **(self.variables or {})},
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        words = (run.stdout + run.stderr).replace(",", " ").split()
        numbers = [word.removeprefix("v") for word in words]
        return next((word for word in numbers if word[:1].isdigit() and "." in word), "unknown")


def make_converter(
    program: str, flags: Mapping[str, str] | None = None, *, name: str = ""
) -> Converter:
    """Return the converter of a command.

    Args:
        program: the command: 'gdcmconv {flags} {in} {out}'. {in} and {out} are paths, {out_folder}
            is the folder of {out}, {to} the short name of the target, {uid} its UID, {flags} the
            flags of the target.
        flags: by target; None for those of a known converter with the program's name, or any target
            if the command has {to} or {uid}.
        name: for tables; "" for the program's.

    Raises:
        InvalidOptionError: the command has no {in} or {out}, or nothing says the target.
    """
    words = _split(program)
    if not any("{in}" in word for word in words) or "{out" not in program:
        raise InvalidOptionError(
            f"the command {program!r} does not say where the source and the result are",
            hint="put {in} and {out} into it",
        )
    if flags is None and FLAGS in words:
        known = load_converters().get(Path(words[0]).name)
        if known is None or known.routes[0].flags is None:
            raise InvalidOptionError(
                f"the flags of {words[0]} are not known", hint="name them for each target: `flags`"
            )
        flags = known.routes[0].flags
    if flags is None and not any(one in program for one in ("{to}", "{uid}")):
        raise InvalidOptionError(
            f"nothing in the command {program!r} says the target",
            hint="put {flags}, {to} or {uid} into it",
        )
    for target in flags or ():
        _check_target(target)
    return Converter(name or Path(words[0]).name, (Route(words, flags=flags),))


def load_converters(path: str | os.PathLike[str] | None = None) -> dict[str, Converter]:
    """Return the converters of a table in TOML, by name.

    Args:
        path: of the table; None for the converters that are known. {here} in its commands is the
            folder of the table, {python} the Python that runs.

    Raises:
        InvalidOptionError: the table cannot be read.
    """
    place = KNOWN if path is None else Path(path)
    try:
        tables = tomllib.loads(place.read_text(encoding="utf-8"))
        return {name: _read_converter(name, table, place) for name, table in tables.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as cause:
        raise InvalidOptionError(f"the table {place} cannot be read: {cause}") from cause


def _read_converter(name: str, table: Mapping[str, Any], place: Path) -> Converter:
    known = {"{here}": str(place.resolve().parent), "{python}": sys.executable}

    def words(text: str) -> tuple[str, ...]:
        found = _split(text)
        for placeholder, value in known.items():
            found = tuple(word.replace(placeholder, value) for word in found)
        return found

    routes = []
    for route in table["routes"]:
        flags = route.get("flags")
        if "targets" in route:
            flags = dict.fromkeys(route["targets"], "")
        for target in flags or ():
            _check_target(target)
        routes.append(Route(words(route["command"]), tuple(route.get("sources", ("*",))), flags))
    variables = {key: str(value) for key, value in table.get("variables", {}).items()}
    return Converter(name, tuple(routes), words(table.get("version", "")), variables or None)


def _split(command: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(command))
    except ValueError as cause:
        raise InvalidOptionError(f"the command {command!r} cannot be read: {cause}") from cause


def _check_target(name: str) -> None:
    if find_by_name(name) is None:
        from dicodec.model.transfer_syntax import list_writable

        names = [one.name for one in list_writable()]
        hint = suggest(name, names, "`dicodec syntaxes` lists them")
        raise InvalidOptionError(f"there is no transfer syntax {name!r}", hint=hint)


def _fill_in(
    command: Sequence[str], flags: str, made_to: str, source: Path, target: Path
) -> list[str]:
    syntax = find_by_name(made_to)
    values = {
        "{in}": str(source),
        "{out}": str(target),
        "{out_folder}": str(target.parent),
        "{to}": made_to,
        "{uid}": str(syntax.uid) if syntax else "",
    }
    words: list[str] = []
    for word in command:
        if word == FLAGS:
            words += shlex.split(flags)
            continue
        for placeholder, value in values.items():
            word = word.replace(placeholder, value)
        words.append(word)
    return words
