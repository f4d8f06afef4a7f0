"""Messages to a batch's workers: one source to convert, and the options that all sources share."""

from __future__ import annotations

from dicodec.batch.sources.references import SourceReference
from dicodec.model.records import dataclass
from dicodec.options import ConversionOptions

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from dicodec.part10.directory_records import ReferencedFile


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOptions:
    """Options that all sources of a batch share.

    Attributes:
        options: options of each conversion; a policy may change them.
        policy: name or path of the policy that decides for each source; None for none.
        layout: template of the results' paths; None if the sources' names decide.
        in_place: whether results replace their sources.
        dry_run: whether nothing is written.
        digests: whether the ledger gets digests of sources and results.
        references: whether the ledger gets references between instances, because some may get new
            SOP Instance UIDs.
        proofs: whether the ledger gets digests of decoded frames, for a manifest.
    """

    options: ConversionOptions
    policy: str | None = None
    layout: str | None = None
    in_place: bool = False
    dry_run: bool = False
    digests: bool = False
    references: bool = False
    proofs: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One source to convert.

    Attributes:
        reference: the source.
        target: path of its result; None if the layout decides, or in a dry run without an output
            folder.
        overwrite: whether the target may be replaced although the options do not allow it, because
            an earlier run wrote it.
        began: when the first attempt began, in seconds since 1970, if an earlier pool made it and
            ended meanwhile; otherwise None. A newer file at the target may be its result.
        root: path of the folder beneath which the target is; None if the user named the target, and
            for an object.
        records: of a DICOMDIR, with the facts they have to state.
        most: bytes that its result may have; None for no bound.
        uids: (old, new) SOP Instance UIDs of the instances that its references are mapped to.
    """

    reference: SourceReference
    target: str | None
    overwrite: bool = False
    root: str | None = None
    uids: tuple[tuple[str, str], ...] = ()
    records: tuple[ReferencedFile, ...] = ()
    most: int | None = None
    began: float | None = None
