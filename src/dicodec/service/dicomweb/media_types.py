"""Media types of DICOMweb, their transfer syntaxes, and the choice among them (PS3.18 8.7)."""

from __future__ import annotations

from collections.abc import Sequence

from dicodec.model.records import dataclass
from dicodec.model.transfer_syntax import (
    EXPLICIT_LE,
    TRANSFER_SYNTAXES,
    Loss,
    TransferSyntax,
    find_by_uid,
)
from dicodec.service.dicomweb.accept import MediaRange

DICOM = "application/dicom"
OCTETS = "application/octet-stream"
DICOM_JSON = "application/dicom+json"
JSON = "application/json"

_NAMES = {
    "image/jpeg": ("jpeg-lossless", "jpeg", "jpeg-extended", "jpeg-lossless-p14"),
    "image/dicom-rle": ("rle",),
    "image/jls": ("jpeg-ls", "jpeg-ls-near"),
    "image/jp2": ("jpeg2000-lossless", "jpeg2000"),
    "image/jpx": ("jpeg2000-mc-lossless", "jpeg2000-mc"),
    "image/jphc": ("htj2k-lossless", "htj2k-rpcl", "htj2k"),
    "image/jxl": ("jpegxl-lossless", "jpegxl-jpeg", "jpegxl"),
    "video/mpeg": ("1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.101"),
    "video/mp4": ("1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.103"),
}
"""Media types of compressed bulk data, each with its transfer syntaxes, the default one first."""

_BY_NAME = {name: one for one in TRANSFER_SYNTAXES for name in (one.name, one.uid)}

OF_MEDIA_TYPE: dict[str, tuple[TransferSyntax, ...]] = {
    media_type: tuple(_BY_NAME[name] for name in names) for media_type, names in _NAMES.items()
}
"""Transfer syntaxes of each media type of compressed bulk data (Table 8.7.3-5)."""

_MEDIA_TYPES = {
    syntax.uid: media_type for media_type, rows in OF_MEDIA_TYPE.items() for syntax in rows
}

_NEVER_SENT = frozenset({"implicit-le", "explicit-be", "ge-private", "papyrus"})
"""Transfer syntaxes that Web Services never use (8.7.3), and private ones."""

RENDERED = ("image/jpeg", "image/png", "image/gif")
"""Media types of rendered images, the default one first (Table 8.7.4-1)."""


@dataclass(frozen=True, slots=True)
class Representation:
    """One form in which a client accepts an image.

    Attributes:
        media_type: of the payload, or of each part.
        multipart: whether the payload is multipart/related.
        syntax: UID of the transfer syntax; "" for the one that the image is stored in.
    """

    media_type: str
    multipart: bool
    syntax: str = ""

    @property
    def lossy(self) -> bool:
        """Whether the client has asked for a transfer syntax that may lose information."""
        row = find_by_uid(self.syntax)
        return row is not None and row.loss is not Loss.NEVER


def find_media_type(syntax: TransferSyntax) -> str:
    """Return the media type of frames in a transfer syntax."""
    return _MEDIA_TYPES.get(syntax.uid, OCTETS)


def may_be_sent(syntax: TransferSyntax) -> bool:
    """Return whether Web Services may use a transfer syntax (8.7.3)."""
    return syntax.name not in _NEVER_SENT


def choose_instances(accepted: Sequence[MediaRange], *, single: bool) -> list[Representation]:
    """Return the forms in which whole instances are accepted, the most wanted first.

    Args:
        accepted: what the client accepts, in order.
        single: whether the resource is one instance, which may be sent without multipart.
    """
    found: list[Representation] = []
    for one in accepted:
        if not one.covers(DICOM) or (one.multipart is False and not single):
            continue
        multipart = not (one.multipart is False and one.media_type == DICOM)
        found.append(Representation(DICOM, multipart, _read_syntax(one, EXPLICIT_LE)))
    return _drop_impossible(found)


def choose_frames(accepted: Sequence[MediaRange], *, single: bool) -> list[Representation]:
    """Return the forms in which frames are accepted, the most wanted first.

    A transfer syntax that is not one of its media type's (Table 8.7.3-5) is left out; of
    application/octet-stream all are taken, because many clients ask that way for streams as they
    are stored.

    Args:
        accepted: what the client accepts, in order.
        single: whether one frame is asked for, which may be sent without multipart.
    """
    found: list[Representation] = []
    for one in accepted:
        if one.multipart is False and not single:
            continue
        multipart = one.multipart is not False
        if one.covers(OCTETS):
            found.append(Representation(OCTETS, multipart, _read_syntax(one, EXPLICIT_LE)))
            continue
        for media_type, rows in OF_MEDIA_TYPE.items():
            if one.covers(media_type):
                found += _list_compressed(one, media_type, rows, multipart=multipart)
    return _drop_impossible(found)


def _list_compressed(
    one: MediaRange, media_type: str, rows: tuple[TransferSyntax, ...], *, multipart: bool
) -> list[Representation]:
    if one.syntax == "*":  # stored, if that is one of the media type's; else its default one
        return [Representation(media_type, multipart, uid) for uid in ("", rows[0].uid)]
    if one.wildcard or one.syntax in {"", rows[0].uid}:
        return [Representation(media_type, multipart, rows[0].uid)]
    if any(row.uid == one.syntax for row in rows):
        return [Representation(media_type, multipart, one.syntax)]
    return []


def choose_rendered(accepted: Sequence[MediaRange], *, single: bool) -> list[Representation]:
    """Return the forms in which rendered images are accepted, the most wanted first.

    Args:
        accepted: what the client accepts, in order.
        single: whether there is one picture. Of several, a GIF alone can be a single part.
    """
    found: list[Representation] = []
    for one in accepted:
        for media_type in RENDERED:
            if one.covers(media_type):
                alone = single or media_type == "image/gif"
                if one.multipart is False and not alone:
                    continue
                multipart = not single if one.multipart is None else one.multipart
                found.append(Representation(media_type, multipart))
                break  # a range stands for its default
    return found


def accepts_json(accepted: Sequence[MediaRange]) -> str | None:
    """Return the media type of metadata in the DICOM JSON model that is accepted, or None."""
    for one in accepted:
        if one.multipart is not True:
            for media_type in (DICOM_JSON, JSON):
                if one.covers(media_type):
                    return media_type
    return None


def _read_syntax(one: MediaRange, default: TransferSyntax) -> str:
    if one.syntax == "*":
        return ""
    return one.syntax or default.uid


def _drop_impossible(found: Sequence[Representation]) -> list[Representation]:
    """Return those whose transfer syntax is known, and may be used."""
    kept: list[Representation] = []
    for one in found:
        row = find_by_uid(one.syntax)
        if (not one.syntax or (row is not None and may_be_sent(row))) and one not in kept:
            kept.append(one)
    return kept
