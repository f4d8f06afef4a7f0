"""RGB and YBR_FULL (PS3.3 C.7.6.3.1.2, ITU-R BT.601) in fixed point arithmetic.

The coefficients are scaled by 2^16 and results rounded to nearest and clamped, which for 8 bits is
the arithmetic of the IJG's JPEG library: a stream that it decodes to YCbCr and that is converted
here gives the same RGB as its own conversion. Kernels convert bytes, and NumPy all others.
"""

from __future__ import annotations

from dicodec import _kernels
from dicodec.model.late_import import import_late

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from collections.abc import Buffer, Callable
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray
else:
    np = import_late("numpy")


_SCALE = 16
_HALF = 1 << (_SCALE - 1)

_RED, _BLUE = 1.402, 1.772
"""2 - 2 x 0.299 and 2 - 2 x 0.114 (ITU-R BT.601)."""


def _to_fixed_point(coefficient: float) -> int:
    return int(coefficient * (1 << _SCALE) + 0.5)


_FIXED_POINT_BITS = 16
"""Largest number of bits of a sample for which the coefficients are fine enough."""


def _widen(samples: NDArray[Any]) -> NDArray[Any]:
    """Return samples in a type that holds their products with coefficients of fixed point.

    Those of bytes have 26 bits at most; 32 bits take half the time of 64, as memory bounds it.
    """
    return samples.astype(np.int32 if samples.dtype.itemsize == 1 else np.int64)


def _convert_bytes(
    convert: Callable[[Buffer, int], Buffer], samples: NDArray[Any], bits_stored: int
) -> NDArray[Any]:
    """Return the pixels that a kernel makes of such ones."""
    converted = convert(np.ascontiguousarray(samples), bits_stored)
    return np.frombuffer(converted, samples.dtype).reshape(samples.shape)


def ybr_full_to_rgb(samples: NDArray[Any], bits_stored: int) -> NDArray[Any]:
    """Return RGB samples of the same shape and type.

    Args:
        samples: unsigned, shape (rows, columns, 3), in the order Y, Cb, Cr.
        bits_stored: 8 to 32; chroma is centered at 2^(bits_stored - 1).
    """
    if bits_stored > _FIXED_POINT_BITS:
        return _ybr_full_to_rgb_in_floats(samples, bits_stored)
    if _kernels.COMPILED is not None and samples.dtype == np.uint8:
        return _convert_bytes(_kernels.COMPILED.ybr_full_to_rgb, samples, bits_stored)
    middle = 1 << (bits_stored - 1)
    wide = _widen(samples)
    y, cb, cr = wide[..., 0], wide[..., 1] - middle, wide[..., 2] - middle
    rgb = np.empty_like(wide)
    rgb[..., 0] = y + ((_to_fixed_point(1.402) * cr + _HALF) >> _SCALE)
    rgb[..., 1] = y + (
        (-_to_fixed_point(0.344136286) * cb - _to_fixed_point(0.714136286) * cr + _HALF) >> _SCALE
    )
    rgb[..., 2] = y + ((_to_fixed_point(1.772) * cb + _HALF) >> _SCALE)
    np.clip(rgb, 0, (1 << bits_stored) - 1, out=rgb)
    return rgb.astype(samples.dtype)


def rgb_to_ybr_full(samples: NDArray[Any], bits_stored: int) -> NDArray[Any]:
    """Return samples in the order Y, Cb, Cr, of the same shape and type.

    Args:
        samples: unsigned, shape (rows, columns, 3), in the order R, G, B.
        bits_stored: 8 to 32.
    """
    if bits_stored > _FIXED_POINT_BITS:
        return _rgb_to_ybr_full_in_floats(samples, bits_stored)
    if _kernels.COMPILED is not None and samples.dtype == np.uint8:
        return _convert_bytes(_kernels.COMPILED.rgb_to_ybr_full, samples, bits_stored)
    middle = (1 << (bits_stored - 1)) << _SCALE
    wide = _widen(samples)
    red, green, blue = wide[..., 0], wide[..., 1], wide[..., 2]
    ybr = np.empty_like(wide)
    ybr[..., 0] = (
        _to_fixed_point(0.299) * red
        + _to_fixed_point(0.587) * green
        + _to_fixed_point(0.114) * blue
        + _HALF
    )
    # IJG: the offset of chroma is rounded down, so that 2^bits_stored is never reached.
    chroma = middle + _HALF - 1
    ybr[..., 1] = (
        -_to_fixed_point(0.168735892) * red
        - _to_fixed_point(0.331264108) * green
        + _to_fixed_point(0.5) * blue
        + chroma
    )
    ybr[..., 2] = (
        _to_fixed_point(0.5) * red
        - _to_fixed_point(0.418687589) * green
        - _to_fixed_point(0.081312411) * blue
        + chroma
    )
    ybr >>= _SCALE
    np.clip(ybr, 0, (1 << bits_stored) - 1, out=ybr)
    return ybr.astype(samples.dtype)


def _ybr_full_to_rgb_in_floats(samples: NDArray[Any], bits_stored: int) -> NDArray[Any]:
    """Return the result of `ybr_full_to_rgb`, computed in floating point."""
    wide: NDArray[np.float64] = samples.astype(np.float64)
    y, cb, cr = wide[..., 0], *(wide[..., plane] - 2.0 ** (bits_stored - 1) for plane in (1, 2))
    rgb = np.empty_like(wide)
    rgb[..., 0] = y + _RED * cr
    rgb[..., 1] = y - (0.114 * _BLUE * cb + 0.299 * _RED * cr) / 0.587
    rgb[..., 2] = y + _BLUE * cb
    return _round(rgb, bits_stored, samples)


def _rgb_to_ybr_full_in_floats(samples: NDArray[Any], bits_stored: int) -> NDArray[Any]:
    """Return the result of `rgb_to_ybr_full`, computed in floating point."""
    wide: NDArray[np.float64] = samples.astype(np.float64)
    ybr = np.empty_like(wide)
    ybr[..., 0] = wide @ np.array([0.299, 0.587, 0.114])
    ybr[..., 1] = (wide[..., 2] - ybr[..., 0]) / _BLUE + 2.0 ** (bits_stored - 1)
    ybr[..., 2] = (wide[..., 0] - ybr[..., 0]) / _RED + 2.0 ** (bits_stored - 1)
    return _round(ybr, bits_stored, samples)


def _round(values: NDArray[np.float64], bits_stored: int, samples: NDArray[Any]) -> NDArray[Any]:
    """Return values rounded to nearest and clamped, in the type of samples."""
    return np.clip(np.rint(values), 0, (1 << bits_stored) - 1).astype(samples.dtype)


def ybr_partial_to_rgb(samples: NDArray[Any], bits_stored: int) -> NDArray[Any]:
    """Return RGB samples of video range Y (16 to 235 of 8 bits) and Cb, Cr (16 to 240).

    The inverse of the matrix that PS3.3 C.7.6.3.1.2 gives for YBR_PARTIAL_422, rounded to nearest
    and clamped.

    Args:
        samples: unsigned, shape (rows, columns, 3), in the order Y, Cb, Cr.
        bits_stored: 8 to 32; the ranges grow with it.
    """
    unit = 2.0 ** (bits_stored - 8)
    top = (1 << bits_stored) - 1
    wide: NDArray[np.float64] = samples.astype(np.float64)
    y = (wide[..., 0] - 16 * unit) * (top / (219 * unit))
    cb, cr = ((wide[..., plane] - 128 * unit) * (top / (224 * unit)) for plane in (1, 2))
    rgb = np.empty_like(wide)
    rgb[..., 0] = y + 1.402 * cr
    rgb[..., 1] = y - 0.344136286 * cb - 0.714136286 * cr
    rgb[..., 2] = y + 1.772 * cb
    return np.clip(np.rint(rgb), 0, top).astype(samples.dtype)


def halve_chroma(samples: NDArray[Any]) -> NDArray[Any]:
    """Return samples in which two neighbors in a row share the first one's Cb and Cr.

    YBR_FULL_422 has them sampled there (PS3.3 C.7.6.3.1.2). Samples that were stored so before do
    not change.

    Args:
        samples: shape (rows, columns, 3), in the order Y, Cb, Cr.
    """
    halved = samples.copy()
    second = halved[:, 1::2, 1:]
    second[...] = samples[:, 0::2, 1:][:, : second.shape[1]]
    return halved
