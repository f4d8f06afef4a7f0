"""`dicodec policy`: print the rule of a policy that each file meets and why, and the profiles."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dicodec.batch.policy.convert import convert_by_choice
from dicodec.batch.policy.policy import (
    PROFILES,
    Policy,
    Reason,
    list_profiles,
    load_policy,
    open_once,
)
from dicodec.cli.convert.output import format_report
from dicodec.cli.printing import SOME_FAILED, name_switches, print_failure, print_line
from dicodec.errors import DicodecError, InvalidOptionError
from dicodec.model.records import asdict
from dicodec.model.wording import dump_json_line
from dicodec.options import UNDECIDED, ConversionOptions
from dicodec.part10.dicom_file import Source
from dicodec.repair.opening import open_tolerantly

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of the subcommand."""
    add = command.add_argument
    add("action", metavar="ACTION", choices=("check", "list", "show"),
        help="check files or the policy itself, list the profiles, or show one")  # fmt: skip
    add("name", nargs="*", default=[], metavar="NAME",
        help="files to check, or the profile to show")  # fmt: skip
    add("--policy", metavar="POLICY", help="a profile, or a file in TOML")
    add("--json", action="store_true", help="one JSON object a line")


def run(arguments: argparse.Namespace) -> int:
    """Run the subcommand, and return the exit status."""
    return _ACTIONS[arguments.action](arguments)


def _check(arguments: argparse.Namespace) -> int:
    if arguments.policy is None:
        raise InvalidOptionError("no policy is given", hint="--policy NAME or FILE.toml")
    policy = load_policy(arguments.policy)
    if not arguments.name:
        load_policy(arguments.policy)
        print(f"{policy.name}: {len(policy.rules)} rules, nothing wrong with them")
        return 0
    failed = False
    for path in arguments.name:
        try:
            found = _explain(path, policy)
        except DicodecError as error:
            failed = True
            print_failure(error, as_json=arguments.json)
            continue
        if arguments.json:
            print(dump_json_line(found))
        else:
            for line in _format_choice(found):
                print_line(line, sys.stdout)
    return SOME_FAILED if failed else 0


def _explain(path: str, policy: Policy) -> dict[str, Any]:
    """Return the choice of a policy for a file, its reasons, and the plan of the conversion.

    Raises:
        ReadError: the file cannot be opened.
    """
    try:
        with open_once(path) as source:
            return _explain_opened(path, source, policy)
    except DicodecError as error:
        error.with_location(path=path)
        raise


def _explain_opened(path: str, source: Source, policy: Policy) -> dict[str, Any]:
    base = ConversionOptions(to=UNDECIDED)
    with open_tolerantly(source, base.limits) as file:
        choice, reasons = policy.choose_for(file, base), policy.explain(file)
    found: dict[str, Any] = {
        "source": path,
        "policy": policy.name,
        "rule": choice.rule,
        "keep": choice.options is None,
        "to": [] if choice.options is None else list(choice.options.to),
        "reasons": [asdict(reason) for reason in reasons],
    }
    if choice.options is not None:
        try:
            report = convert_by_choice(source, None, choice, choice.options, in_place=False)
        except DicodecError as error:
            found["error"] = name_switches(error).as_dict()
            found["lines"] = [str(error)]
        else:
            report.source = path
            found["plan"] = report.as_dict()
            found["lines"] = format_report(report, verbose=True)
    return found


def _format_choice(found: dict[str, Any]) -> list[str]:
    lines = [found["source"], f"  rule: {found['rule']}, of {found['policy']}"]
    for reason in (Reason(**each) for each in found["reasons"]):
        conditions = "; ".join(reason.conditions) or "it matches everything"
        lines.append(f"    {'since' if reason.matches else f'not {reason.rule}:'} {conditions}")
    if found["keep"]:
        lines.append("  kept as it is")
    else:
        lines.append(f"  to: {', '.join(found['to'])}")
        words = "error" if "error" in found else "plan"
        first, *others = (line.removeprefix(f"{found['source']}: ") for line in found["lines"])
        lines += [f"  {words}: {first}", *(f"  {line}" for line in others)]
    return lines


def _list(arguments: argparse.Namespace) -> int:
    if arguments.name:
        raise InvalidOptionError("`policy list` takes no names", hint="`policy show NAME`")
    policies = [load_policy(name) for name in list_profiles()]
    for policy in policies:
        if arguments.json:
            fields = {"name": policy.name, "description": policy.description, "basis": policy.basis}
            print(dump_json_line(fields))
        else:
            print(f"{policy.name:<14}{policy.description}")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    if len(arguments.name) != 1:
        raise InvalidOptionError("`policy show` takes one name")
    (name,) = arguments.name
    load_policy(name)  # an error if it cannot be read
    path = PROFILES / f"{name}.toml" if name in list_profiles() else Path(name)
    sys.stdout.write(path.read_text(encoding="utf-8"))
    return 0


_ACTIONS = {"check": _check, "list": _list, "show": _show}
