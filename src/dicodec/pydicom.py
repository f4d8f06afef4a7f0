"""The codecs of dicodec as plugins of pydicom 3.

    import dicodec.pydicom

    dicodec.pydicom.register()

pydicom has no entry points for plugins, and its tables of decoders and encoders are private. A test
pins the names that are used here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicodec.codecs.table import find_decoder
from dicodec.images.encode_frame import encode_frame as encode_samples
from dicodec.model.image import YBR_PARTIAL, ImagePixelDescription
from dicodec.model.late_import import import_late
from dicodec.model.records import replace
from dicodec.model.transfer_syntax import (
    TRANSFER_SYNTAXES,
    Loss,
    Storage,
    TransferSyntax,
    find_by_uid,
)
from dicodec.pixels.photometric import apply_steps, find_routes
from dicodec.rules.color_space import decide_color_space

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from pydicom.pixels.common import CoderBase, RunnerBase
    from pydicom.pixels.decoders.base import DecodeRunner
    from pydicom.pixels.encoders.base import EncodeRunner
else:
    np = import_late("numpy")

PLUGIN = "dicodec"
"""Name of the plugin: `ds.compress(..., encoding_plugin="dicodec")`."""

_BY_CODEC = frozenset({"YBR_RCT", "YBR_ICT"})
"""Photometric Interpretations that a codec makes of RGB."""


def _list_syntaxes() -> dict[str, TransferSyntax]:
    return {
        syntax.uid: syntax
        for syntax in TRANSFER_SYNTAXES
        if syntax.storage is Storage.ENCAPSULATED and syntax.family is not None
    }


_SYNTAXES = _list_syntaxes()

DECODER_DEPENDENCIES = {uid: (PLUGIN,) for uid, one in _SYNTAXES.items() if one.reads}
ENCODER_DEPENDENCIES = {uid: (PLUGIN,) for uid, one in _SYNTAXES.items() if one.writes}
"""The transfer syntaxes of the plugin; pydicom asks for these names."""


def is_available(uid: str) -> bool:
    """Return whether frames of a transfer syntax are decoded or encoded; pydicom asks."""
    return uid in DECODER_DEPENDENCIES or uid in ENCODER_DEPENDENCIES


def register() -> None:
    """Have pydicom use the codecs of dicodec first, for every transfer syntax that they serve.

    `ds.pixel_array`, `ds.decompress` and `ds.compress` then take HTJ2K, JPEG XL, JPEG, deflated
    frames and encapsulated uncompressed, too. Calling it again does nothing.

    Raises:
        ImportError: pydicom 3 is not installed.
    """
    from pydicom._uid_dict import UID_dictionary
    from pydicom.pixels.decoders.base import _PIXEL_DATA_DECODERS, Decoder
    from pydicom.pixels.encoders.base import _PIXEL_DATA_ENCODERS, Encoder
    from pydicom.uid import UID

    for uid, syntax in _SYNTAXES.items():
        if uid not in UID_dictionary:
            UID_dictionary[uid] = (syntax.title, "Transfer Syntax", "", "", syntax.keyword)
        if syntax.reads:
            decoders: Any = _PIXEL_DATA_DECODERS
            decoder = decoders.setdefault(UID(uid), (Decoder(UID(uid)), PLUGIN))[0]
            _put_first(decoder, "decode_frame")
        if syntax.writes:
            encoders: Any = _PIXEL_DATA_ENCODERS
            encoder = encoders.setdefault(UID(uid), (Encoder(UID(uid)), PLUGIN))[0]
            _put_first(encoder, "encode_frame")


def unregister() -> None:
    """Have pydicom use its own plugins again; does nothing if ours are not registered."""
    from pydicom.pixels.decoders.base import _PIXEL_DATA_DECODERS
    from pydicom.pixels.encoders.base import _PIXEL_DATA_ENCODERS

    tables: tuple[Any, ...] = (_PIXEL_DATA_DECODERS, _PIXEL_DATA_ENCODERS)
    for table in tables:
        for uid, (coder, added) in [*table.items()]:
            if added == PLUGIN:
                del table[uid]
            elif PLUGIN in coder.available_plugins:
                coder.remove_plugin(PLUGIN)


def _put_first(coder: CoderBase, function: str) -> None:
    """Add a function of this module to a decoder or encoder, before its other plugins."""
    if PLUGIN in coder.available_plugins:
        return
    coder.add_plugin(PLUGIN, (__name__, function))
    # pydicom tries them in the order of this dictionary.
    coder._available = {PLUGIN: coder._available[PLUGIN], **coder._available}  # noqa: SLF001


def decode_frame(src: bytes, runner: DecodeRunner) -> bytearray:
    """Return a frame's samples, by plane of RLE and else by pixel; pydicom calls it.

    Those orders are the ones of its own plugins, so buffers are equal, too.

    Args:
        src: the frame's stream.
        runner: the image; its Photometric Interpretation becomes that of the samples. The option
            `rle_segment_order="<"` says that the bytes of RLE are in the wrong order.

    Raises:
        FrameError: the stream is damaged, or contradicts the image.
        UnsupportedSourceError: it is not decoded exactly.
    """
    syntax = _find_syntax(runner)
    image = _describe(runner)
    codec = find_decoder(syntax)
    stream = codec.describe(src)
    coded = replace(
        image,
        photometric_interpretation=decide_color_space(image, stream).photometric_interpretation,
    )
    decoded = codec.describe_decoded(stream, coded)
    samples = codec.decode(src, coded)
    if decoded.photometric_interpretation == YBR_PARTIAL:  # not a value of the standard
        steps, rgb = next(find_routes(decoded, "RGB"))
        samples, decoded = apply_steps(steps, samples, decoded), rgb
    runner.set_option("photometric_interpretation", decoded.photometric_interpretation)
    if decoded.samples_per_pixel > 1:
        by_plane = syntax.family == "rle"
        runner.set_option("planar_configuration", int(by_plane))
        if by_plane:
            samples = np.moveaxis(samples, -1, 0)
    if syntax.family == "rle" and runner.get_option("rle_segment_order", ">") == "<":
        samples = samples.byteswap()
    return bytearray(samples.tobytes())  # which pydicom writes to, if a stream has another sign


def encode_frame(src: bytes, runner: EncodeRunner) -> bytes:
    """Return a frame's stream; pydicom calls it.

    Args:
        src: the samples, in the smallest container that holds Bits Stored, and in the order of
            bytes that the option `byteorder` says.
        runner: the image as it has to be encoded, and the settings: `jls_error`, `j2k_cr` and
            `j2k_psnr` of pydicom, and `quality`, `near`, `ratio` and `psnr` of dicodec.

    Raises:
        ValueError: the stream would be in another Photometric Interpretation than the data set.
        ConversionError: the image cannot be encoded.
    """
    syntax = _find_syntax(runner)
    wanted = str(runner.photometric_interpretation)
    samples = _read_samples(src, runner)
    full = {"YBR_FULL_422": "YBR_FULL"}.get(wanted, wanted)
    if _is_stored_by_plane(runner, syntax):  # as an image of planes below each other
        samples = np.moveaxis(samples, -1, 0).reshape(-1, runner.columns)
        wanted = full = "MONOCHROME2"
    encoded = encode_samples(
        samples,
        to=syntax.name,
        photometric_interpretation="RGB" if wanted in _BY_CODEC else full,
        bits_stored=runner.bits_stored,
        photometric="auto" if wanted in _BY_CODEC or wanted == "PALETTE COLOR" else wanted,
        **_find_settings(runner, syntax),
    )
    found = encoded.description.photometric_interpretation
    if found != wanted:
        raise ValueError(
            f"{syntax.title} is encoded as {found}, and the data set says {wanted}: set its "
            f"Photometric Interpretation to {found} before"
        )
    return encoded.stream


def _is_stored_by_plane(runner: EncodeRunner, syntax: TransferSyntax) -> bool:
    """Return whether frames keep the order of samples that Planar Configuration states."""
    plain = syntax.family in {"encapsulated-uncompressed", "deflated-frame"}
    return plain and _describe(runner).planar_configuration == 1


def _find_syntax(runner: RunnerBase) -> TransferSyntax:
    syntax = find_by_uid(str(runner.transfer_syntax))
    assert syntax is not None, "pydicom asks for those that are registered"
    return syntax


def _describe(runner: RunnerBase) -> ImagePixelDescription:
    """Return the image that pydicom describes, as its frames are coded."""
    samples = runner.samples_per_pixel
    return ImagePixelDescription(
        rows=runner.rows,
        columns=runner.columns,
        samples_per_pixel=samples,
        photometric_interpretation=str(runner.photometric_interpretation),
        bits_allocated=runner.bits_allocated,
        bits_stored=runner.bits_stored,
        high_bit=runner.bits_stored - 1,
        pixel_representation=runner.pixel_representation,
        planar_configuration=runner.planar_configuration if samples > 1 else 0,
    )


def _read_samples(src: bytes, runner: EncodeRunner) -> np.ndarray[Any, Any]:
    """Return the samples as an array of Bits Allocated, by pixel."""
    image = _describe(runner)
    size = next(size for size in (1, 2, 4, 8) if image.bits_stored <= 8 * size)
    kind = "i" if image.signed else "u"
    order = runner.get_option("byteorder", "<")
    samples: np.ndarray[Any, Any] = np.frombuffer(src, f"{order}{kind}{size}")
    by_plane = image.planar_configuration == 1 and image.samples_per_pixel > 1
    # pydicom brings arrays to this form for JPEG-LS only, and data sets never.
    if by_plane and (not runner.is_array or _find_syntax(runner).family == "jpeg-ls"):
        planes = samples.reshape(image.samples_per_pixel, image.rows, image.columns)
        samples = np.moveaxis(planes, 0, -1)
    samples = samples.reshape(image.shape)
    return np.ascontiguousarray(samples, image.dtype)


def _find_settings(runner: EncodeRunner, syntax: TransferSyntax) -> Any:
    """Return the settings of an encoder, as options of a conversion."""
    given = runner.get_option
    settings = {name: given(name) for name in ("quality", "near", "ratio", "psnr")}
    if settings["near"] is None:
        settings["near"] = given("jls_error")
    for name, option in (("ratio", "j2k_cr"), ("psnr", "j2k_psnr")):
        layers = given(option)
        if layers and settings[name] is None:
            settings[name] = layers[-1]
    chosen = {name: value for name, value in settings.items() if value is not None}
    if syntax.loss is not Loss.NEVER and not syntax.name.endswith("lossless"):
        chosen["lossy"] = True
    return chosen
