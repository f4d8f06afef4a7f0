"""Description of an image's pixels: the Image Pixel Module (PS3.3 C.7.6.3) as one value."""

from __future__ import annotations

from dicodec.model.records import dataclass

MONOCHROME = frozenset({"MONOCHROME1", "MONOCHROME2"})

PHOTOMETRIC_INTERPRETATIONS = frozenset(
    {
        "MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422",
        "YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT", "XYB",
        "HSV", "ARGB", "CMYK",  # retired
    }
)  # fmt: skip
"""Values that PS3.3 C.7.6.3.1.2 defines or once defined."""

YBR_PARTIAL = "YBR_PARTIAL"
"""Y, Cb and Cr in the range of YBR_PARTIAL_422, each pixel with chroma of its own.

Not a value of the standard: it describes decoded samples and is never stored.
"""

WITH_ALL_CHROMA = {
    "YBR_FULL_422": "YBR_FULL",
    "YBR_PARTIAL_422": YBR_PARTIAL,
    "YBR_PARTIAL_420": YBR_PARTIAL,
}
"""Photometric Interpretation once each pixel has chroma of its own; native frames may lack it."""

SAMPLES_PER_PIXEL = {
    "MONOCHROME1": 1, "MONOCHROME2": 1, "PALETTE COLOR": 1,
    "RGB": 3, "YBR_FULL": 3, "YBR_FULL_422": 3, "YBR_PARTIAL_422": 3, "YBR_PARTIAL_420": 3,
    "YBR_ICT": 3, "YBR_RCT": 3, "XYB": 3, "HSV": 3, YBR_PARTIAL: 3,
    "ARGB": 4, "CMYK": 4,
}  # fmt: skip
"""By Photometric Interpretation (PS3.3 C.7.6.3.1.1)."""


@dataclass(frozen=True, slots=True)
class ImagePixelDescription:
    """The attributes needed to read a frame's samples; the same for all frames of an image.

    Attributes:
        rows, columns: 1 to 65535.
        samples_per_pixel: 1 or 3 (4 in retired photometric interpretations).
        photometric_interpretation: as in PS3.3 C.7.6.3.1.2.
        bits_allocated: 1, 8, 16, 32 or 64.
        bits_stored: 1 to bits_allocated.
        high_bit: bits_stored - 1, or more if an old file says so.
        pixel_representation: 0 unsigned, 1 two's complement.
        planar_configuration: 0 by pixel, 1 by plane; 0 if a pixel has one sample.
        number_of_frames: 1 or more.
        floating: True for Float and Double Float Pixel Data (PS3.3 C.7.6.24, C.7.6.25).
        lossy: whether Lossy Image Compression says that information was lost.
        overlay_bits: mask of the bits of a container, outside of its sample, that hold overlays
            (PS3.5 8.1.2).
    """

    rows: int
    columns: int
    samples_per_pixel: int
    photometric_interpretation: str
    bits_allocated: int
    bits_stored: int
    high_bit: int
    pixel_representation: int
    planar_configuration: int = 0
    number_of_frames: int = 1
    floating: bool = False
    lossy: bool = False
    overlay_bits: int = 0

    @property
    def signed(self) -> bool:
        """Whether samples are two's complement (Pixel Representation 1)."""
        return self.pixel_representation == 1

    @property
    def monochrome(self) -> bool:
        """Whether the image is MONOCHROME1 or MONOCHROME2."""
        return self.photometric_interpretation in MONOCHROME

    @property
    def has_more_than_8_bits(self) -> bool:
        """Whether 8 unsigned bits would change samples; indices into a palette are not samples."""
        palette = self.photometric_interpretation == "PALETTE COLOR"
        return (self.bits_stored > 8 or self.signed) and not palette and not self.floating

    @property
    def samples_per_frame(self) -> int:
        """Number of samples a frame has once every pixel has all of its samples."""
        return self.rows * self.columns * self.samples_per_pixel

    @property
    def dtype(self) -> str:
        """NumPy type of one decoded sample, little endian; a 1-bit sample takes a byte."""
        if self.floating:
            return f"<f{self.bits_allocated // 8}"
        size = max(self.bits_allocated, 8) // 8
        return f"<{'i' if self.signed else 'u'}{size}"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a decoded frame: (rows, columns) or (rows, columns, samples)."""
        if self.samples_per_pixel == 1:
            return (self.rows, self.columns)
        return (self.rows, self.columns, self.samples_per_pixel)

    @property
    def native_frame_bits(self) -> int:
        """Bits that one native frame takes, before the value is padded to even length.

        With Bits Allocated 1 this need not be a multiple of 8: frames then follow each other within
        a byte (PS3.5 8.1.1). YBR_FULL_422 and YBR_PARTIAL_422 store two of every three samples,
        YBR_PARTIAL_420 half of them (PS3.3 C.7.6.3.1.2); a last column or row of odd size keeps
        its own chroma samples.
        """
        samples = self.samples_per_frame
        if self.samples_per_pixel == 3:
            pairs = (self.columns + 1) // 2
            if self.photometric_interpretation in {"YBR_FULL_422", "YBR_PARTIAL_422"}:
                samples = self.rows * pairs * 4
            elif self.photometric_interpretation == "YBR_PARTIAL_420":
                samples = ((self.rows + 1) // 2) * pairs * 6
        return samples * self.bits_allocated

    @property
    def native_frame_size(self) -> int:
        """Bytes that one frame takes by itself, a partly filled last byte included."""
        return (self.native_frame_bits + 7) // 8

    @property
    def native_size(self) -> int:
        """Bytes that all native frames take, before the value is padded to even length."""
        return (self.native_frame_bits * self.number_of_frames + 7) // 8

    @property
    def sample_range(self) -> tuple[int, int]:
        """Smallest and largest value that Bits Stored can hold, both inclusive."""
        if self.signed:
            return -(1 << (self.bits_stored - 1)), (1 << (self.bits_stored - 1)) - 1
        return 0, (1 << self.bits_stored) - 1
