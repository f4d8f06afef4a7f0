"""The layout of a subcommand's help: groups of options, and examples; loaded for `--help` alone."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from types import MappingProxyType

_FEWEST_IN_GROUPS = 14
"""Options of a subcommand whose help has groups; fewer are read as one list."""

GROUPS: Mapping[str, Sequence[str]] = MappingProxyType({
    "which files, and where results go": (
        "output", "in_place", "files_from", "hidden", "layout", "skip_existing", "overwrite",
        "backup", "root", "read_root", "data", "done", "failed", "mapping", "sender", "peer",
        "cause",
    ),
    "the result": (
        "to", "policy", "photometric", "lossy", "quality", "near", "ratio", "psnr",
        "rescale_to_8bit", "offset_table", "engine", "option",
    ),
    "attributes": (
        "set_attributes", "remove_attributes", "keep_uid", "charset", "standardize",
        "map_references",
    ),
    "safety": (
        "verify", "strict", "salvage", "limits", "durability", "digests", "manifest", "key",
        "dry_run", "estimate",
    ),
    "clients and queues": (
        "host", "port", "dicomweb", "dicomweb_cache", "cors", "upstream_token_file", "token_file",
        "allowed_host", "upload_limit", "rate", "concurrent", "keep", "server", "broker", "queue",
        "store", "priority", "tenant", "trace", "prefetch", "silence", "partitions", "events",
        "prepare", "interval", "settle", "once",
    ),
    "processes": (
        "jobs", "workers", "timeout", "memory", "executor", "shard", "ledger", "resume",
        "attempts", "retry_after", "lease", "drain", "max_bytes", "rate_limit", "between",
        "pause_file",
    ),
    "what is told": (
        "report", "json", "quiet", "verbose", "metrics_file", "metrics_port", "metrics_host",
        "traces", "show_paths", "alive_file",
    ),
})  # fmt: skip
"""Destinations of options by the title of their group; what is in none stands under "options"."""

EXAMPLES: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "convert": (
            "dicodec convert ct.dcm --to jpeg2000-lossless -o small.dcm --verify",
            "dicodec convert incoming/ --policy web -o readable/ --ledger run.sqlite",
            "dicodec convert old.dcm --to explicit-le --in-place --set PatientID=4711",
        ),
        "compare": (
            "dicodec compare a.dcm b.dcm",
            "dicodec compare original.dcm lossy.dcm --tolerance 8",
            "dicodec compare a.dcm b.dcm --html difference.html",
        ),
        "show": (
            "dicodec show ct.dcm -o ct.png",
            "dicodec show cine.dcm --frame all -o cine.gif --scale 0.5",
            "dicodec show folder/ -o sheet.png",
        ),
        "inspect": (
            "dicodec inspect ct.dcm",
            "dicodec inspect --json folder/*.dcm",
            "dicodec inspect odd.dcm --limit frame_size=512M",
        ),
        "syntaxes": (
            "dicodec syntaxes",
            "dicodec syntaxes --json",
            "dicodec syntaxes --config options.toml",
        ),
        "jobs": (
            "dicodec jobs run.sqlite summary",
            "dicodec jobs run.sqlite list --state failed",
            "dicodec jobs retry --broker amqp://localhost",
        ),
        "audit": (
            "dicodec audit --make-key archive.key",
            "dicodec audit archive.manifest archive/ --key archive.key.pub",
            "dicodec audit archive.manifest archive/ --sample 1% --seed 7",
        ),
        "restore": (
            "dicodec restore archive/ --dry-run",
            "dicodec restore archive/",
            "dicodec restore run.sqlite --json",
        ),
        "policy": (
            "dicodec policy list",
            "dicodec policy show archive",
            "dicodec policy check ct.dcm --policy web",
        ),
        "gateway": (
            "dicodec gateway check gateway.toml",
            "dicodec gateway check gateway.toml ct.dcm --sender CT1",
            "dicodec gateway run gateway.toml --metrics-port 9100",
        ),
        "serve": (
            "dicodec serve",
            "dicodec serve --port 8080 --root /archive --jobs 4",
            "dicodec serve --host 0.0.0.0 --token-file token --allowed-host images.example",
        ),
        "submit": (
            "dicodec submit ct.dcm --to jpeg-ls -o converted/",
            "dicodec submit incoming/ --policy archive -o s3://images/new/ --broker amqp://localhost",
            "dicodec submit ct.dcm --to rle -o out/ --queue queue.sqlite --priority 9",
        ),
        "watch": (
            "dicodec watch incoming -o converted --to jpeg2000-lossless",
            "dicodec watch incoming -o converted --policy archive --done finished",
            "dicodec watch incoming -o converted --to rle --once",
        ),
        "worker": (
            "dicodec worker --broker amqp://localhost --root /archive",
            "dicodec worker --broker kafka://localhost --root /archive --metrics-port 9100",
            "dicodec worker --broker redis://localhost --root /archive --prepare",
        ),
        "conformance": (
            "dicodec conformance --program 'gdcmconv {flags} {in} {out}'",
            "dicodec conformance gdcmconv dcmtk dicodec --markdown table.md",
            "dicodec conformance dicodec --only 'faults/*'",
        ),
        "doctor": (
            "dicodec doctor",
            "dicodec doctor --json",
            "dicodec doctor --config options.toml",
        ),
        "completion": (
            "dicodec completion bash > ~/.local/share/bash-completion/completions/dicodec",
            "dicodec completion zsh > ~/.zfunc/_dicodec",
            "dicodec completion fish > ~/.config/fish/completions/dicodec.fish",
        ),
    }
)
"""Three calls of each subcommand."""


def lay_out(parser: argparse.ArgumentParser, name: str) -> None:
    """Put the options of a subcommand into groups, and examples below them.

    Args:
        parser: of the subcommand; it is not used to parse afterwards.
        name: of the subcommand.
    """
    examples = "\n".join(f"  {one}" for one in EXAMPLES[name])
    said = f"\n\n{parser.epilog}" if parser.epilog else ""
    parser.epilog = f"examples:\n{examples}{said}"
    options = [action for action in parser._actions if action.option_strings]  # noqa: SLF001 - argparse shows them nowhere else
    if len(options) < _FEWEST_IN_GROUPS:
        return
    groups = {title: parser.add_argument_group(title) for title in GROUPS}
    titles = {dest: title for title, dests in GROUPS.items() for dest in dests}
    plain = parser._optionals  # noqa: SLF001 - as above
    for action in options:
        if title := titles.get(action.dest):
            plain._group_actions.remove(action)  # noqa: SLF001 - as above
            groups[title]._group_actions.append(action)  # noqa: SLF001 - as above
