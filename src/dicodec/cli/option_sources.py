"""Take options from the environment and from a file, for those that the command line leaves out.

`DICODEC_RETRY_AFTER=9` and `retry-after = 9` in the file of --config stand for `--retry-after 9`.
Their values become arguments in front of the command's own, so that one parser checks all of
them, and no option is declared a second time. The command line goes before the environment, the
environment before the file, the file before the default. See docs/operate.md.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from dicodec.cli.wrong_usage import WrongUsage
from dicodec.model.implementation import VARIABLE_PREFIX
from dicodec.model.settings_files import read_settings
from dicodec.model.similar_names import suggest

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    from dicodec.cli.arguments import Parser

OF_ONE_COMMAND = frozenset({"frame", "output", "policy", "queue"})
"""Options that mean something else for each command: a name without the command is refused."""

SECRETS = frozenset({"broker", "queue", "store"})
"""Options whose values may have passwords: DICODEC_STORE_FILE names a file with DICODEC_STORE."""

_CONFIG = "config"
_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})
_OF_KUBERNETES = ("tcp://", "udp://", "sctp://")
"""Beginnings of what Kubernetes puts into NAME_PORT, for a Service of that name."""

type _Level = dict[str, list[str]]
"""Arguments by the destination of their option; none for a flag that is off."""


class _Option:
    """An option of a subcommand: its name, and the actions of argparse that set it."""

    def __init__(self, actions: Sequence[argparse.Action]) -> None:
        spellings = [text for action in actions for text in action.option_strings]
        self.dest = actions[0].dest
        self.switch = next(text for text in spellings if text.startswith("--"))
        self.name = self.switch.removeprefix("--")
        self._off = [text for text in spellings if text == f"--no-{self.name}"]
        self._words = {text.partition("=")[2]: text for text in spellings if "=" in text}
        self._is_flag = actions[0].nargs == 0
        self._is_list = isinstance(actions[0].default, list)
        self._has_several = isinstance(actions[0].nargs, int) and not self._is_flag

    def parse_text(self, text: str) -> Any:
        """Return the value that a variable of the environment holds.

        Raises:
            ValueError: it holds none.
        """
        if self._is_flag and text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        if self._has_several:
            return text.split()
        if self._is_list and text.startswith("["):
            try:
                return json.loads(text)
            except ValueError:
                raise ValueError("a list is an array of JSON") from None
        return text

    def make_arguments(self, value: Any) -> list[str]:
        """Return the arguments of a value, as a file of TOML has it.

        Raises:
            TypeError, ValueError: it is of another type, or no word of the option.
        """
        if self._is_flag:
            if isinstance(value, bool):
                return [self.switch] if value else self._off
            if isinstance(value, str) and value in self._words:
                return [self._words[value]]
            raise ValueError(f"it is {', '.join(['true', 'false', *self._words])}, not {value!r}")
        if self._has_several and isinstance(value, list):
            return [self.switch, *(_show(one) for one in value)]
        if self._is_list and isinstance(value, Mapping):
            value = [f"{name}={_show(one)}" for name, one in value.items()]
        if self._is_list and isinstance(value, list):
            return [argument for item in value for argument in self._make_argument(item)]
        return self._make_argument(value)

    def _make_argument(self, value: Any) -> list[str]:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise TypeError(f"{_show(value)} is not a value of {self.switch}")
        return [f"{self.switch}={value}"]


def _show(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def add_arguments_of_sources(
    command: str,
    make_parser: Callable[[str], Parser],
    own: Sequence[str],
    variables: Mapping[str, str],
) -> tuple[list[str], frozenset[str]]:
    """Return the arguments of a subcommand, with those of the environment and the file.

    Args:
        command: name of the subcommand.
        make_parser: returns a new parser of a subcommand.
        own: arguments of the command line.
        variables: the environment.

    Returns:
        The arguments, and the destinations of options that the command line does not have.

    Raises:
        WrongUsage: a value is none of its option, the file cannot be read, or it has an option
            that there is not.
    """
    return _Sources(command, make_parser, variables).add_arguments(own)


class _Sources:
    def __init__(
        self, command: str, make_parser: Callable[[str], Parser], variables: Mapping[str, str]
    ) -> None:
        self._command = command
        self._make_parser = make_parser
        self._variables = variables
        self._parser = make_parser(command)
        self._options = _list_options(self._parser)  # it goes by the defaults
        self._parser.forget_defaults()

    def add_arguments(self, own: Sequence[str]) -> tuple[list[str], frozenset[str]]:
        given = vars(self._parser.parse_known_args(own)[0])
        variables = self._read_variables()
        config = given.get(_CONFIG) or self._find_config(variables.pop(_CONFIG, []))
        levels = [variables, {} if config is None else self._read_file(config)]
        arguments: list[str] = []
        taken, active = set(given), set(given)
        for level in levels:
            excluded = taken.union(*(group for group in self._parser.rivals if group & active))
            fresh = {dest: made for dest, made in level.items() if dest not in excluded}
            arguments[:0] = [argument for made in fresh.values() for argument in made]
            taken |= fresh.keys()
            active |= {dest for dest, made in fresh.items() if made}
        return [*arguments, *own], frozenset(taken - given.keys())

    def _find_config(self, arguments: Sequence[str]) -> str | None:
        return arguments[0].partition("=")[2] if arguments else None

    def _fail(self, place: str, message: str) -> WrongUsage:
        return WrongUsage(f"dicodec {self._command}", f"{place}: {message}")

    def _check(self, place: str, option: _Option, value: Any) -> list[str]:
        """Return the arguments of a value that its option takes.

        Raises:
            WrongUsage: it does not take it; the message says where the value is from.
        """
        try:
            arguments = option.make_arguments(value)
            self._parser.parse_known_args(arguments)
        except (TypeError, ValueError) as error:
            raise self._fail(place, str(error)) from None
        except WrongUsage as error:
            raise self._fail(place, error.message) from None
        return arguments

    # The environment.

    def _read_variables(self) -> _Level:
        level = {}
        for option in self._options.values():
            for place, text in self._find_variable(option):
                try:
                    value = option.parse_text(text)
                except ValueError as error:
                    raise self._fail(place, str(error)) from None
                level[option.dest] = self._check(place, option, value)
        return level

    def _find_variable(self, option: _Option) -> Iterator[tuple[str, str]]:
        """Yield the variable of an option, with its text: the command's own before the general."""
        name = option.name.upper().replace("-", "_")
        general, special = (
            f"{VARIABLE_PREFIX}{name}",
            f"{VARIABLE_PREFIX}{self._command.upper()}_{name}",
        )
        if option.name in OF_ONE_COMMAND and self._has(general):
            raise self._fail(
                general, f"{option.switch} means something else for each command; set {special}"
            )
        for variable in (special, general):
            from_file = f"{variable}_FILE" if option.name in SECRETS else ""
            if self._has(variable) and self._has(from_file):
                raise self._fail(variable, f"{from_file} is set too")
            if self._has(from_file):
                yield from_file, self._read_secret(from_file, self._variables[from_file])
                return
            if self._has(variable):
                yield variable, self._variables[variable]
                return

    def _has(self, variable: str) -> bool:
        """Whether a variable says something to us; an empty one does not."""
        text = self._variables.get(variable, "")
        of_kubernetes = variable.endswith("_PORT") and text.startswith(_OF_KUBERNETES)
        return bool(text) and not of_kubernetes

    def _read_secret(self, place: str, path: str) -> str:
        try:
            text = read_settings(path).decode("utf-8").strip()
        except (OSError, ValueError) as cause:
            raise self._fail(place, f"{path} cannot be read: {_name_cause(cause)}") from cause
        if not text or "\n" in text:
            raise self._fail(place, f"{path} has to hold one line")
        return text

    # The file.

    def _read_file(self, path: str) -> _Level:
        import tomllib  # it takes a while to load

        try:
            tables = tomllib.loads(read_settings(path).decode("utf-8"))
        except (OSError, ValueError) as cause:
            raise self._fail(path, f"it cannot be read: {_name_cause(cause)}") from cause
        from dicodec.cli.subcommands import SUBCOMMANDS

        shared: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for name, value in tables.items():
            if name in SUBCOMMANDS and isinstance(value, dict):
                own = value if name == self._command else own
            elif isinstance(value, dict) and name not in self._list_shared():
                raise self._report_unknown(path, f"no command {name!r}", name, SUBCOMMANDS)
            else:
                shared[name] = value
        level = self._read_table(path, shared, in_table=False)
        return {**level, **self._read_table(f"{path}: [{self._command}]", own, in_table=True)}

    def _read_table(self, place: str, table: Mapping[str, Any], *, in_table: bool) -> _Level:
        level = {}
        for key, value in table.items():
            of_file = key.removesuffix("-file") if key not in self._options else key
            name = of_file if of_file in SECRETS else key
            if not in_table and name in OF_ONE_COMMAND:
                raise self._fail(
                    place, f"{name} means something else for each command; it belongs into a table"
                )
            option = self._options.get(name)
            if option is None or name == _CONFIG:
                known = [one for one in self._options if one != _CONFIG]
                if in_table or (others := self._list_shared()).isdisjoint({name}):
                    known += [] if in_table else sorted(others)
                    raise self._report_unknown(place, f"no option {key!r}", key, known)
                continue
            where = f"{place}: {key}"
            if name != key:
                if name in table:
                    raise self._fail(where, f"{name} is there too")
                value = self._read_secret(where, str(value))
            level[option.dest] = self._check(where, option, value)
        return level

    def _list_shared(self) -> set[str]:
        """Return the options that some command has; to make all parsers takes a while."""
        from dicodec.cli.subcommands import SUBCOMMANDS

        options = [_list_options(self._make_parser(name)) for name in SUBCOMMANDS]
        return set().union(*options) - OF_ONE_COMMAND - {_CONFIG}

    def _report_unknown(self, place: str, what: str, name: str, known: Iterable[str]) -> WrongUsage:
        hint = suggest(name, known, "")
        return self._fail(place, f"there is {what}{'; ' if hint else ''}{hint}")


def _list_options(parser: Parser) -> dict[str, _Option]:
    """Return the options of a parser by name, without those that only have arguments print."""
    by_dest: dict[str, list[argparse.Action]] = {}
    for action in parser.options:
        by_dest.setdefault(action.dest, []).append(action)
    options = [_Option(actions) for dest, actions in by_dest.items() if dest != "help"]
    return {option.name: option for option in options}


def _name_cause(cause: Exception) -> str:
    return (cause.strerror or "") if isinstance(cause, OSError) else str(cause)
