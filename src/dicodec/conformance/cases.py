"""Cases: a file for a converter, the target, and what a right result holds."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator

from dicodec import convert_bytes
from dicodec.conformance.expectations import LOSSY, LOWEST_PSNR, NEAR, holds
from dicodec.conformance.made_files import IMAGE_KINDS, ImageKind, choose_sop_class
from dicodec.model.records import dataclass

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from collections.abc import Callable

MATRIX, FAULTS = "matrix", "faults"

KINDS = (
    "gray-8", "gray-10-in-16", "gray-12-in-16", "gray-16", "signed-12-in-16", "signed-16",
    "one-bit", "rgb-8", "rgb-16", "palette", "ybr-full-8", "odd-size", "multi-frame",
    "rgb-8-frames",
)  # fmt: skip
"""The images of the matrix."""

SYNTAXES = (
    "implicit-le", "explicit-be", "deflated", "encapsulated-uncompressed", "deflated-frame", "rle",
    "jpeg", "jpeg-extended", "jpeg-lossless-p14", "jpeg-lossless", "jpeg-ls", "jpeg-ls-near",
    "jpeg2000-lossless", "jpeg2000", "htj2k-lossless", "htj2k-rpcl", "htj2k", "jpegxl-lossless",
    "jpegxl",
)  # fmt: skip
"""The transfer syntaxes of the matrix, to and from Explicit VR Little Endian."""

NATIVE = "explicit-le"


@dataclass(frozen=True, slots=True)
class Case:
    """One file that a converter is given, and what its result is held against.

    Attributes:
        name: of the case: "faults/cut-native: explicit-le to rle".
        group: MATRIX or FAULTS.
        kind: the transfer syntax that is not native, in the matrix; the fault.
        made_of, made_to: short names of transfer syntaxes.
        make: makes the file to convert, and a right native file of the same image.
        refused: whether the file is damaged past repair, so that a right converter refuses it.
        sound: numbers of the frames that damage leaves whole.
        lossy: short name of a lossy syntax on the way; "" if samples stay exactly the same.
        tolerance: the largest error of a sample that counts as right, if the syntax bounds it.
    """

    name: str
    group: str
    kind: str
    made_of: str
    made_to: str
    make: Callable[[], tuple[bytes, bytes]]
    refused: bool = False
    sound: tuple[int, ...] = ()
    lossy: str = ""
    tolerance: int = 0

    @property
    def lowest_psnr(self) -> float | None:
        """The PSNR in dB below which a lossy result is wrong; None if errors are bounded."""
        return LOWEST_PSNR.get(self.lossy)


def list_matrix() -> Iterator[Case]:
    """List the cases of sound files: each image in each transfer syntax that holds it.

    Of lossy syntaxes, PALETTE COLOR and 1-bit images are left out, because converters rightly
    differ in what they do with them.
    """
    for syntax in SYNTAXES:
        for name in KINDS:
            kind = IMAGE_KINDS[name]
            if not holds(syntax, kind) or (syntax in LOSSY and _is_indexed(kind)):
                continue
            lossy = syntax if syntax in LOSSY else ""
            for made_of, made_to in ((NATIVE, syntax), (syntax, NATIVE)):
                yield Case(
                    f"{MATRIX}/{name}: {made_of} to {made_to}",
                    MATRIX,
                    syntax,
                    made_of,
                    made_to,
                    _Maker(kind, made_of),
                    lossy=lossy,
                    tolerance=_find_tolerance(syntax, kind),
                )


def select(cases: Iterator[Case], patterns: list[str]) -> list[Case]:
    """Return the cases whose names match one of the patterns, as file names are matched; or all."""
    if not patterns:
        return list(cases)
    return [case for case in cases if any(fnmatch.fnmatchcase(case.name, one) for one in patterns)]


def _find_tolerance(syntax: str, kind: ImageKind) -> int:
    """Return the bound on errors; it is larger for YCbCr, which may be compared as RGB."""
    if syntax != "jpeg-ls-near":
        return 0
    return 4 * NEAR if kind.photometric == "YBR_FULL" else NEAR


def _is_indexed(kind: ImageKind) -> bool:
    return kind.photometric == "PALETTE COLOR" or kind.bits_allocated == 1


class _Maker:
    """Makes a file of an image in a transfer syntax."""

    def __init__(self, kind: ImageKind, syntax: str) -> None:
        self._kind = kind
        self._syntax = syntax

    def __call__(self) -> tuple[bytes, bytes]:
        kind = self._kind
        sop_class = choose_sop_class(kind.samples, kind.bits_allocated, kind.frames)
        right, _ = kind.make(sop_class=sop_class)
        if self._syntax == NATIVE:
            return right, right
        return convert_bytes(right, to=self._syntax, lossy=self._syntax in LOSSY), right
