"""The record of lossy compression, and of being another image, for one data set.

The rules are in `rules/lossy.py`; here they are applied to a data set (PS3.3 C.7.6.1.1.5,
C.12.2).
"""

from __future__ import annotations

from dicodec.conversion.edits.items import edit_item, encode_items, parse_item
from dicodec.conversion.planning.conversion_plan import PixelPlan
from dicodec.errors import DicodecError
from dicodec.model import tags
from dicodec.model.edits import Edit, Item, SetAttribute, SetSequence
from dicodec.model.records import NamedTuple, replace
from dicodec.model.stream import StreamDescription
from dicodec.model.transfer_syntax import TransferSyntax
from dicodec.options import ConversionOptions
from dicodec.part10.data_set import DataSet
from dicodec.part10.dicom_file import DicomFile
from dicodec.part10.encoding import DataSetEncoding
from dicodec.rules.lossy import (
    DICOM_SCHEME,
    LOSSY_COMPRESSION,
    PROCESSING,
    RATIO_TO_FOLLOW,
    STREAM_METHODS,
    Derivation,
    Identity,
    append_compression,
    derive_image,
    format_ratio,
    is_defined_method,
    is_same_method,
    record_compression,
    record_history,
)

_LISTING = (*tags.FUNCTIONAL_GROUPS, tags.REFERENCED_SERIES_SEQUENCE)

_OF_A_SERIES = (tags.REFERENCED_INSTANCE_SEQUENCE, tags.SERIES_INSTANCE_UID)
"""The attributes of an item of Referenced Series Sequence (PS3.3 C.12.2)."""

_REBUILT = 32
"""Frames at most of which the JPEG stream is rebuilt to be measured."""


class History(NamedTuple):
    """The lossy compressions of an image so far.

    Attributes:
        methods, ratios: values of Lossy Image Compression Method and Ratio.
        untold: whether the data set does not say all of it.
    """

    methods: list[str]
    ratios: list[str]
    untold: bool = False


def complete_history(file: DicomFile, pixels: PixelPlan) -> History:
    """Return the history that a data set records, completed by the streams that are decoded."""
    data_set = file.data_set
    told = _read_history(data_set)
    frames = file.frames.encapsulated
    if not pixels.source_lossy or frames is None:
        return told
    assert pixels.stream is not None, "streams to decode have been looked at"
    method = STREAM_METHODS.get(pixels.stream.kind, "")
    # All samples count, though the streams that are repacked hold YBR_FULL_422.
    decoded = replace(pixels.decoded, photometric_interpretation="")
    ratio = format_ratio(decoded.native_size, _measure_streams(file, pixels.stream)).strip()
    recorded = data_set.read_text(tags.LOSSY_IMAGE_COMPRESSION) == "01"
    last = told.methods[-1] if told.methods else ""
    if is_same_method(last, method):
        if told.ratios or len(told.methods) > 1:
            return told._replace(untold=not recorded)
        return History(told.methods, [ratio], untold=True)
    if not recorded or is_defined_method(last):  # the recorded one came before
        return History(*append_compression(told.methods, told.ratios, method, ratio), untold=True)
    if not told.methods and len(told.ratios) <= 1:  # one compression, not all of it recorded
        return History([method], told.ratios or [ratio], untold=True)
    return told


def _measure_streams(file: DicomFile, stream: StreamDescription) -> int:
    """Return the bytes of the streams that lost information.

    Those of a JPEG repacked as JPEG XL (.111) are the JPEG's own: to repack it lost nothing. Of
    many frames some are rebuilt, spread evenly, and the others are taken to be like them.
    """
    frames = file.frames.encapsulated
    assert frames is not None, "native frames have no streams"
    stored = frames.measure_all()
    if not stream.details.get("jpeg_reconstruction"):
        return stored
    from dicodec.codecs.jpeg_repacking import unpack_jpeg  # few need it

    packed = rebuilt = 0
    for frame in range(0, len(frames), -(-len(frames) // _REBUILT)):
        try:
            original = unpack_jpeg(frames.read(file.frames.source, frame))
        except DicodecError:  # it is reported where the frame is decoded
            continue
        packed += frames.measure_frame(frame)
        rebuilt += len(original) + len(original) % 2
    return round(stored * rebuilt / packed) if packed else stored


def _read_history(data_set: DataSet) -> History:
    return History(
        _read_values(data_set, tags.LOSSY_IMAGE_COMPRESSION_METHOD),
        _read_values(data_set, tags.LOSSY_IMAGE_COMPRESSION_RATIO),
    )


def complete_record(data_set: DataSet, history: History) -> tuple[Edit, ...]:
    """Return the edits that complete a data set's record (PS3.3 C.7.6.1.1.5)."""
    if not history.untold:
        return ()
    told = _read_history(data_set)
    said = {
        tags.LOSSY_IMAGE_COMPRESSION: data_set.read_text(tags.LOSSY_IMAGE_COMPRESSION) == "01",
        tags.LOSSY_IMAGE_COMPRESSION_METHOD: told.methods == history.methods,
        tags.LOSSY_IMAGE_COMPRESSION_RATIO: told.ratios == history.ratios,
    }
    edits = record_history(history.methods, history.ratios)
    return tuple(edit for edit in edits if not said[edit.tag])


def make_lossy_edits(
    data_set: DataSet,
    target: TransferSyntax,
    options: ConversionOptions,
    ratio: str = RATIO_TO_FOLLOW,
    *,
    history: History | None = None,
    description: str = "",
) -> list[Edit]:
    """Return the edits that say of a result that it is another image (PS3.3 C.7.6.1.1.5).

    Args:
        data_set: the source.
        target: the transfer syntax whose encoder lost information.
        options: whether the SOP Instance UID is kept.
        ratio: the compression ratio, or room for it.
        history: the compressions before; if not given, those that the data set records.
        description: of the conversion, for people; the transfer syntax if not given.
    """
    before = history or _read_history(data_set)
    edits = record_compression(target.lossy_method or "", before.methods, before.ratios, ratio)
    description = description or f"lossy compression: {target.title}"
    encoding = DataSetEncoding.of(target)
    return [*edits, *_derive(data_set, options, encoding, description, LOSSY_COMPRESSION)]


def make_rescaled_edits(
    data_set: DataSet,
    options: ConversionOptions,
    encoding: DataSetEncoding,
    description: str,
    history: History,
) -> list[Edit]:
    """Return the edits that say that gray levels were taken away.

    No compression did that, so none is recorded (C.7.6.1.1.5); the image is a derived one.
    """
    derived = _derive(data_set, options, encoding, description, PROCESSING)
    return [*complete_record(data_set, history), *derived]


def _derive(
    data_set: DataSet,
    options: ConversionOptions,
    encoding: DataSetEncoding,
    description: str,
    derivation: Derivation,
) -> tuple[Edit, ...]:
    source = Identity(
        data_set.read_text(tags.IMAGE_TYPE),
        data_set.read_text(tags.DERIVATION_DESCRIPTION),
        data_set.read_text(tags.SOP_CLASS_UID),
        data_set.read_text(tags.SOP_INSTANCE_UID),
    )
    return derive_image(
        source,
        description,
        None if options.keep_uid else make_uid(),
        derivation,
        _list_other_codes(data_set, encoding, derivation),
        encode_items(data_set, tags.SOURCE_IMAGE_SEQUENCE, encoding),
        _list_by_series(data_set, encoding, source.reference),
    )


def _list_other_codes(
    data_set: DataSet, encoding: DataSetEncoding, derivation: Derivation
) -> tuple[bytes, ...]:
    """Return the items of Derivation Code Sequence that say something else."""
    if derivation.code is None:
        return ()
    wanted = derivation.code[0], DICOM_SCHEME
    items = encode_items(data_set, tags.DERIVATION_CODE_SEQUENCE, encoding)
    return tuple(item for item in items if _read_code(parse_item(item, encoding)) != wanted)


def _read_code(item: DataSet) -> tuple[str, str]:
    return item.read_text(tags.CODE_VALUE), item.read_text(tags.CODING_SCHEME_DESIGNATOR)


def _list_by_series(
    data_set: DataSet, encoding: DataSetEncoding, reference: Item
) -> tuple[Item | bytes, ...]:
    """Return the items of Referenced Series Sequence, with a reference to the source among them.

    All that is referenced is listed once more, by series, in multi-frame images with functional
    groups (A.32 to A.80), and if there is such a list already (C.12.2): one item a series.
    """
    series = data_set.read_text(tags.SERIES_INSTANCE_UID)
    if not series or not any(data_set.find(tag) is not None for tag in _LISTING):
        return ()
    listed: list[Item | bytes] = []
    place: int | None = None
    own: DataSet | None = None
    instances: list[Item | bytes] = []
    for raw in encode_items(data_set, tags.REFERENCED_SERIES_SEQUENCE, encoding):
        item = parse_item(raw, encoding)
        if item.read_text(tags.SERIES_INSTANCE_UID) != series:
            listed.append(raw)
            continue
        if own is None:
            own, place = item, len(listed)
        elif len(item.elements) > len(_OF_A_SERIES):  # it holds more than can be joined
            listed.append(raw)
            continue
        instances += encode_items(item, tags.REFERENCED_INSTANCE_SEQUENCE, encoding)
    instances.append(reference)
    edit = SetSequence(tags.REFERENCED_INSTANCE_SEQUENCE, tuple(instances))
    if own is None or place is None:
        listed.append((edit, SetAttribute(tags.SERIES_INSTANCE_UID, "UI", series)))
    else:
        listed.insert(place, edit_item(own, [edit]))
    return tuple(listed)


def _read_values(data_set: DataSet, tag: int) -> list[str]:
    text = data_set.read_text(tag)
    return [value.strip() for value in text.split("\\")] if text else []


def make_uid() -> str:
    """Return a UID that nobody else has: a random UUID under the root 2.25 (PS3.5 B.2)."""
    import uuid  # few conversions need one, and it takes milliseconds to load

    return f"2.25.{uuid.uuid4().int}"
