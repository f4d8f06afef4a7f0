"""Policies: choose the conversion of each file by the first rule that matches it.

A policy is a TOML file of rules, or a profile that comes with the package. A rule has conditions
(`when`), and either acceptable transfer syntaxes (`to`) with options, or `keep = true`; with `to`,
`keep = "otherwise"` keeps the files that cannot be converted.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from dicodec.batch.policy.conditions import ValueTest, check_keys, format_value, parse_test
from dicodec.batch.policy.facts import FACTS, FoundValue, read_attribute
from dicodec.batch.policy.options import OptionChanges, parse_options
from dicodec.errors import InvalidOptionError
from dicodec.model.records import dataclass
from dicodec.model.settings_files import read_settings
from dicodec.model.similar_names import suggest
from dicodec.model.transfer_syntax import TRANSFER_SYNTAXES, find_by_name
from dicodec.model.wording import as_key, reword_error
from dicodec.options import ConversionOptions
from dicodec.part10.dicom_file import DicomFile, Source
from dicodec.part10.dictionary import find_keyword, parse_tag
from dicodec.part10.encoding import format_tag
from dicodec.part10.file_meta import check_start
from dicodec.part10.source import OpenSource, gives_bytes_once
from dicodec.repair.opening import open_tolerantly

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

PROFILES = Path(__file__).with_name("profiles")
"""Folder of the policies that come with the package."""

NO_RULE = "no rule"
"""Name of the rule for a file that no other rule matches: it is kept as it is."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a rule.

    Attributes:
        name: name of the fact, or keyword or tag of the attribute.
        tag: tag of the attribute; None for a fact.
        test: test of its values.
    """

    name: str
    tag: int | None
    test: ValueTest

    def read_values(self, file: DicomFile) -> tuple[FoundValue, ...]:
        """Return the values of the fact or attribute in a file."""
        if self.tag is not None:
            return read_attribute(file, self.tag)
        return FACTS[self.name].read(file)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        name: name in the policy, or "rule 3".
        conditions: conditions that must all hold; a rule without any matches every file.
        changes: changes to the options of the run; None to keep a file as it is.
    """

    name: str
    conditions: tuple[Condition, ...]
    changes: OptionChanges | None


@dataclass(frozen=True, slots=True)
class Choice:
    """A policy's choice for a file.

    Attributes:
        options: options of its conversion; None to keep it as it is.
        rule: name of the rule that matched.
        keeps_rest: whether it is kept as it is if it cannot be converted so.
    """

    options: ConversionOptions | None
    rule: str
    keeps_rest: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a rule matches a file or does not.

    Attributes:
        rule: name of the rule.
        matches: whether it matches.
        conditions: its conditions in words if it matches; otherwise the first that does not hold.
    """

    rule: str
    matches: bool
    conditions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules, of which the first that matches a file decides.

    Attributes:
        name: name of the profile, or path of the policy's file.
        description: description for people.
        basis: sources of its rules, such as recommendations of societies.
        rules: the rules, in order.
    """

    name: str
    description: str
    basis: str
    rules: tuple[Rule, ...]

    def choose(self, source: Source, base: ConversionOptions) -> Choice:
        """Choose the conversion of a file.

        Args:
            source: the file. Open a stream with `open_once` if it is converted afterwards.
            base: options of the run; the rule's options change them.

        Raises:
            ReadError: the file cannot be opened.
        """
        with open_tolerantly(source, base.limits) as file:
            return self.choose_for(file, base)

    def choose_for(self, file: DicomFile, base: ConversionOptions) -> Choice:
        """Choose the conversion of an open file."""
        for rule in self.rules:
            if all(
                condition.test.holds(condition.read_values(file)) for condition in rule.conditions
            ):
                if rule.changes is None:
                    return Choice(None, rule.name)
                return Choice(rule.changes.apply(base), rule.name, rule.changes.keeps_rest)
        return Choice(None, NO_RULE)

    def explain(self, file: DicomFile) -> tuple[Reason, ...]:
        """Return the reasons why each rule does not match a file, up to the rule that does."""
        found = []
        for rule in self.rules:
            held = []
            for condition in rule.conditions:
                values = condition.read_values(file)
                words = f"{condition.name} is {_format_values(values)}"
                if not condition.test.holds(values):
                    failed = (f"{words}, not {condition.test.text}",)
                    found.append(Reason(rule.name, matches=False, conditions=failed))
                    break
                held.append(words)
            else:
                return (*found, Reason(rule.name, matches=True, conditions=tuple(held)))
        return tuple(found)


def load_policy(name: str) -> Policy:
    """Load a profile, or the policy in a file.

    Args:
        name: name of a profile; or a path, which ends in .toml or has a folder in it.

    Raises:
        InvalidOptionError: there is no such policy, or it cannot be read. The error names the rule
            and the key at fault.
    """
    path = PROFILES / f"{name}.toml" if name in list_profiles() else Path(name)
    if path == Path(name) and path.suffix != ".toml" and len(path.parts) == 1:
        there_are = f"there are {', '.join(list_profiles())}, and files with names in .toml"
        raise InvalidOptionError(
            f"there is no policy {name!r}", hint=suggest(name, list_profiles(), there_are)
        )
    try:
        text = read_settings(path).decode("utf-8")
        return parse_policy(text, name)
    except (OSError, UnicodeDecodeError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else str(cause)
        raise InvalidOptionError(f"the policy cannot be read: {reason}", path=name) from cause
    except InvalidOptionError as error:
        error.with_location(path=name)
        raise


@contextmanager
def open_once(source: Source) -> Iterator[Source]:
    """Open a source so that both a policy and the conversion after it can read it.

    Raises:
        ReadError: the source cannot be opened.
    """
    if isinstance(source, str | os.PathLike) and not gives_bytes_once(source):
        yield source  # opening a path twice is cheaper
        return
    with OpenSource(source, check_start) as opened:
        yield opened


def list_profiles() -> tuple[str, ...]:
    """Return the names of the policies that come with the package."""
    return tuple(sorted(path.stem for path in PROFILES.glob("*.toml")))


def parse_policy(text: str, name: str) -> Policy:
    """Parse a policy in TOML.

    Args:
        text: the policy.
        name: name of the policy.

    Raises:
        InvalidOptionError: the policy cannot be read. The error names the rule and the key at
            fault.
    """
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as cause:
        raise InvalidOptionError(f"the policy is not TOML: {cause}") from cause
    check_keys(given, ("description", "basis", "rule"), "a policy has no key")
    rules = given.get("rule", [])
    if (
        not isinstance(rules, list)
        or not rules
        or not all(isinstance(each, dict) for each in rules)
    ):
        raise InvalidOptionError("a policy has rules", hint="each begins with [[rule]]")
    texts = {key: given.get(key, "") for key in ("description", "basis")}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise InvalidOptionError(f"{key} is {value!r}; it is text")
    parsed = tuple(_parse_rule(each, number) for number, each in enumerate(rules, 1))
    for rule, after in pairwise(parsed):
        if not rule.conditions:
            raise InvalidOptionError(
                f"{rule.name} matches everything, so {after.name} never counts"
            )
    return Policy(name, texts["description"], " ".join(texts["basis"].split()), parsed)


def _parse_rule(given: dict[str, Any], number: int) -> Rule:
    name = given.get("name", f"rule {number}")
    if not isinstance(name, str) or not name:
        raise InvalidOptionError(f"rule {number}: name is {name!r}; it is text")
    try:
        conditions = parse_conditions(given.get("when", {}))
        changes = parse_options(
            {key: value for key, value in given.items() if key not in {"name", "when"}}
        )
    except InvalidOptionError as error:
        reword_error(error, as_key)
        error.with_context(_describe_rule(number, name))
        raise
    return Rule(name, conditions, changes)


def _describe_rule(number: int, name: str) -> str:
    return name if name == f"rule {number}" else f"rule {number} ({name})"


def parse_conditions(given: Any) -> tuple[Condition, ...]:
    """Parse the conditions of a rule, which must all hold.

    Args:
        given: a table: values or tests by name of the fact, and `attributes`.

    Raises:
        InvalidOptionError: there is no such condition, or it has no meaning.
    """
    if not isinstance(given, dict):
        raise InvalidOptionError(
            "when is a table of conditions", hint='such as when.modality = "CT"'
        )
    check_keys(given, (*FACTS, "attributes"), "there is no condition")
    conditions = [
        Condition(
            name,
            None,
            parse_test(
                value,
                FACTS[name].kind,
                where=name,
                name=_parse_syntax if name == "syntax" else None,
                size=name == "size",
            ),
        )
        for name, value in given.items()
        if name != "attributes"
    ]
    attributes = given.get("attributes", {})
    if not isinstance(attributes, dict):
        raise InvalidOptionError("attributes is a table of keywords or tags")
    for keyword, value in attributes.items():
        tag = parse_tag(keyword)
        name = find_keyword(tag) or format_tag(tag)
        conditions.append(
            Condition(name, tag, parse_test(value, None, where=f"attributes.{keyword}"))
        )
    return tuple(conditions)


def _parse_syntax(text: str) -> str:
    """Return the short name of a transfer syntax; a pattern is returned unchanged.

    Raises:
        InvalidOptionError: there is no such transfer syntax.
    """
    if set(text) & set("*?["):
        return text
    syntax = find_by_name(text)
    if syntax is None:
        names = [each.name for each in TRANSFER_SYNTAXES]
        raise InvalidOptionError(
            f"there is no transfer syntax {text!r}",
            hint=suggest(text, names, "`dicodec syntaxes` lists them"),
        )
    return syntax.name


def _format_values(values: tuple[FoundValue, ...]) -> str:
    return " and ".join(format_value(value) for value in values) if values else "absent"
