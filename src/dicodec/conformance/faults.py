"""The catalogue of faults: each with a made file, in words, and what a right converter does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from dicodec.conformance import damaged_files as damaged
from dicodec.conformance import fault_files as files
from dicodec.conformance.cases import FAULTS, Case
from dicodec.model.records import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """A way in which a file is wrong.

    Attributes:
        name: of the fault.
        words: what is wrong, for tables.
        made_of: transfer syntax that the file states or is in.
        make: makes the wrong file, and the right one.
        targets: of the conversions.
        refused, sound, lossy: see `Case`.
    """

    name: str
    words: str
    made_of: str
    make: Callable[[], files.Files]
    targets: tuple[str, ...] = ("explicit-le",)
    refused: bool = False
    sound: tuple[int, ...] = ()
    lossy: str = ""


_NATIVE_TARGETS = ("implicit-le", "rle", "jpeg-ls")
_OTHERS = (0, 2, 3)

CATALOGUE = (
    Fault("text-kept", "nothing: text, private elements, a sequence", "explicit-le",
          files.keep_text, _NATIVE_TARGETS),
    Fault("loss-kept", "nothing: a record of earlier lossy compression", "explicit-le",
          files.keep_lossy_record, _NATIVE_TARGETS),
    Fault("nested-deep", "nothing: sequences 60 deep", "explicit-le", files.nest_deeply,
          _NATIVE_TARGETS),
    Fault("fragments-rle", "RLE frames in two fragments each, no offsets", "rle",
          partial(files.cut_fragments, "rle")),
    Fault("fragments-jpeg-ls", "JPEG-LS frames in two fragments each, no offsets", "jpeg-ls",
          partial(files.cut_fragments, "jpeg-ls"), ("explicit-le", "rle")),
    Fault("table-of-fragments", "an offset table of fragments, not of frames", "jpeg-ls",
          partial(files.name_fragments, "jpeg-ls"), ("explicit-le", "rle")),
    Fault("table-overlaps", "an offset table whose frames all begin at 0", "jpeg-ls",
          files.overlap_frames),
    Fault("table-absent", "no offset table item", "jpeg-ls", files.leave_out_table),
    Fault("table-twice", "a wrong Extended Offset Table beside a right basic one", "jpeg-ls",
          files.append_extended_table),
    Fault("frames-fewer", "Number of Frames 2 of 4, encapsulated", "jpeg-ls",
          files.count_fewer_frames, ("explicit-le", "rle")),
    Fault("frames-none", "Number of Frames 0 of 4, native", "explicit-le", files.count_no_frames,
          _NATIVE_TARGETS),
    Fault("length-open", "native Pixel Data of undefined length", "explicit-le",
          files.leave_length_open, _NATIVE_TARGETS),
    Fault("zeros-behind", "64 zeros behind the data set", "jpeg-ls", files.append_zeros),
    Fault("segments-longer", "bytes behind the last RLE segment", "rle", files.append_to_segments),
    Fault("high-bit", "samples in the upper 12 of 16 bits", "explicit-le", files.shift_samples,
          _NATIVE_TARGETS),
    Fault("label-rct", "RGB in RLE labelled YBR_RCT", "rle", files.label_as_rct),
    Fault("colors-mixed", "JPEG frames of different color space", "jpeg", files.mix_colors,
          lossy="jpeg"),
    Fault("rows-as-text", "Rows written as IS", "explicit-le", files.write_rows_as_text,
          _NATIVE_TARGETS),
    Fault("vr-none", "a private element with the VR ??", "explicit-le", files.write_no_vr,
          _NATIVE_TARGETS),
    Fault("item-short", "an item 8 bytes longer than it says", "explicit-le", files.shorten_item,
          _NATIVE_TARGETS),
    Fault("preamble-none", "no preamble, no File Meta Information", "implicit-le",
          files.lose_preamble, ("explicit-le", "rle")),
    Fault("group-length", "a group length of File Meta Information that is too small",
          "explicit-le", files.misstate_group_length, _NATIVE_TARGETS),
    Fault("cut-native", "half of the last native frame is missing", "explicit-le",
          damaged.cut_native, _NATIVE_TARGETS, refused=True, sound=(0, 1, 2)),
    Fault("cut-big-endian", "the last byte of words in big endian is missing", "explicit-be",
          damaged.cut_big_endian, refused=True),
    Fault("cut-rle", "half of an RLE frame is missing", "rle", partial(damaged.cut_frame, "rle"),
          refused=True, sound=_OTHERS),
    Fault("cut-jpeg", "half of a lossless JPEG frame is missing", "jpeg-lossless",
          partial(damaged.cut_frame, "jpeg-lossless"), refused=True, sound=_OTHERS),
    Fault("cut-jpeg-ls", "half of a JPEG-LS frame is missing", "jpeg-ls",
          partial(damaged.cut_frame, "jpeg-ls"), ("explicit-le", "rle"), refused=True,
          sound=_OTHERS),
    Fault("cut-jpeg2000", "half of a JPEG 2000 frame is missing", "jpeg2000-lossless",
          partial(damaged.cut_frame, "jpeg2000-lossless"), refused=True, sound=_OTHERS),
    Fault("cut-deflated", "a quarter of the deflated data set is missing", "deflated",
          damaged.cut_deflated, refused=True, sound=()),
    Fault("frame-empty", "a frame without bytes", "jpeg2000-lossless", damaged.empty_frame,
          refused=True, sound=_OTHERS),
    Fault("segments-outside", "an RLE segment behind the end of its frame", "rle",
          damaged.break_segments, refused=True, sound=_OTHERS),
    Fault("size-differs", "a stream with 19 columns for 20", "jpeg-ls", damaged.break_size,
          refused=True, sound=_OTHERS),
    Fault("claims-huge", "1.8e19 samples claimed, 20 there", "explicit-le",
          damaged.claim_huge_image, _NATIVE_TARGETS, refused=True),
)  # fmt: skip
"""All faults; the first three have none, and tell whether elements are kept."""


def list_fault_cases() -> Iterator[Case]:
    """List a case for each fault and target."""
    for fault in CATALOGUE:
        for target in fault.targets:
            yield Case(
                f"{FAULTS}/{fault.name}: {fault.made_of} to {target}",
                FAULTS,
                fault.name,
                fault.made_of,
                target,
                fault.make,
                refused=fault.refused,
                sound=fault.sound,
                lossy=fault.lossy,
            )
