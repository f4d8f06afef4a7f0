"""What a worker is given to convert: a source, and what it shares with the others of its batch."""

from __future__ import annotations

from dataclasses import dataclass

from dicodec.batch.sources.references import SourceReference
from dicodec.options import ConversionOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What all sources of a batch share.

    Attributes:
        options: of each conversion, unless the policy has others.
        policy: name or path of a policy, which decides for each source; None for none.
        layout: text of the layout that decides where results go; None where names decide.
        in_place: whether results replace their sources.
        dry_run: whether nothing is written.
        digests: whether sources and results are digested for the ledger.
    """

    options: ConversionOptions
    policy: str | None = None
    layout: str | None = None
    in_place: bool = False
    dry_run: bool = False
    digests: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One source.

    Attributes:
        reference: to it.
        target: path of its result; None where it is found by the layout, or in a dry run that has
            no place for results.
        overwrite: whether the target may be replaced though the options say no: it is known to be
            what an earlier run left.
    """

    reference: SourceReference
    target: str | None
    overwrite: bool = False
