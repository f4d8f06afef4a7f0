"""Show stored samples as a viewer does: Modality LUT, VOI LUT, colors (PS3.4 N.2, PS3.3 C.11)."""

from __future__ import annotations

from _thread import allocate_lock  # of the library reference; `threading` takes 2 ms
from collections.abc import Iterator
from contextlib import suppress

from dicodec.conversion.planning.gray_and_color import (
    choose_rescaling,
    read_gray_values,
    read_palette,
    read_table,
)
from dicodec.errors import DicodecError, MalformedFileError, UnsupportedImageError
from dicodec.images.regions import Region
from dicodec.model import tags
from dicodec.model.image import ImagePixelDescription
from dicodec.model.late_import import import_late
from dicodec.model.records import dataclass, replace
from dicodec.part10.data_set import DataSet
from dicodec.pixels.gray import Rescaling, StoredRange, Window, quantize_levels
from dicodec.pixels.palette import PALETTE_COLOR, make_palette_steps
from dicodec.pixels.photometric import STEPS, Route, find_routes
from dicodec.rules.photometric_edits import GrayAttributes, LookUpTable

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray
else:
    np = import_late("numpy")

type Picture = NDArray[np.uint8]
"""Gray levels of shape (rows, columns), or RGB of shape (rows, columns, 3)."""

FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
"""Values of VOI LUT Function (PS3.3 C.11.2.1.3)."""

_TOP = 255
_COLORS = 3
_BAND = 1 << 21
"""Samples that are rendered at a time."""


def find_color_routes(
    data_set: DataSet, image: ImagePixelDescription, wanted: str
) -> list[tuple[Route, ImagePixelDescription]]:
    """Return the ways from decoded samples to a Photometric Interpretation, the best one first.

    Args:
        data_set: has the tables of a palette.
        image: describes the samples.
        wanted: the Photometric Interpretation.

    Raises:
        UnsupportedImageError: there is none.
        MalformedFileError: a palette is needed and absent, or makes no sense.
    """
    steps: Route = STEPS
    if image.photometric_interpretation == PALETTE_COLOR:
        steps = (*STEPS, *make_palette_steps(read_palette(data_set, image)))
    return list(find_routes(image, wanted, steps))


@dataclass(frozen=True, slots=True)
class Display:
    """How a frame is shown.

    Attributes:
        image: describes the frame's decoded samples.
        rescaling: Rescale Slope and Intercept, and the window of a gray image.
        modality: table of Modality LUT Sequence, which takes the place of slope and intercept.
        voi: table of VOI LUT Sequence, which takes the place of the window.
        steps: steps from the samples of a color image to RGB.
    """

    image: ImagePixelDescription
    rescaling: Rescaling = Rescaling()
    modality: LookUpTable | None = None
    voi: LookUpTable | None = None
    steps: Route = ()

    def with_window(self, center: float, width: float, function: str | None = None) -> Display:
        """Return a display with another window.

        Args:
            center: Window Center, in the values that slope and intercept, or the table, give.
            width: Window Width, more than 0; below 1 the function LINEAR becomes LINEAR_EXACT.
            function: one of FUNCTIONS; None for the same one as before.
        """
        before = self.rescaling.window
        if function is None:
            function = "LINEAR" if before is None else before.function
        if function == "LINEAR" and width < 1:
            function = "LINEAR_EXACT"
        window = Window(center, width, function)
        return replace(self, rescaling=replace(self.rescaling, window=window), voi=None)

    def reach_over(self, samples: NDArray[Any]) -> Display:
        """Return a display with a window over all samples that are not padding, if it has none."""
        if self.states_window:
            return self
        extent = self.rescaling.find_extent(samples) or StoredRange(0, 0)
        if self.modality is not None:
            extent = _find_extent_of_table(self.modality, extent)
        return replace(self, rescaling=self.rescaling.with_whole_range(extent))

    @property
    def states_window(self) -> bool:
        """Whether the file says which gray values to show."""
        return self.rescaling.window is not None or self.voi is not None

    @property
    def shows_alone(self) -> bool:
        """Whether each pixel is shown by its own samples, whatever the others of the frame are."""
        return self.states_window or bool(self.steps) or self.image.samples_per_pixel == _COLORS

    @property
    def shows_means(self) -> bool:
        """Whether a mean of samples is shown about as the mean of what they are shown as.

        Not so by tables, whose entries may be anything, nor if the window reaches over a frame's
        samples, because means have other extremes.
        """
        if not self.image.monochrome:
            return self.image.photometric_interpretation != PALETTE_COLOR
        return (
            self.rescaling.window is not None and self.modality is None and self.voi is None
        )  # fmt: skip

    def find_window(self, samples: NDArray[Any]) -> Window | None:
        """Return the window, or one over all samples if there is none or a table; None of colors.

        Args:
            samples: decoded samples of a frame.
        """
        if not self.image.monochrome:
            return None
        return replace(self, voi=None).reach_over(samples).rescaling.window

    def render(self, samples: NDArray[Any], region: Region | None = None) -> Picture:
        """Return samples as 8 bits: gray levels, black being 0, or RGB.

        Args:
            samples: decoded samples of a frame, or of it in another resolution, or of a part of it
                if that `shows_alone`.
            region: the part of these samples to show; None for all.
        """
        if not self.steps and self.image.samples_per_pixel not in {1, _COLORS}:
            samples = samples[..., 0]
        gray = not self.steps and samples.ndim < _COLORS
        shown = self.reach_over(samples) if gray else self
        if region is not None:
            samples = region.cut(samples)
        # In bands, because levels are computed in eight bytes each.
        rows = max(1, _BAND // max(1, samples[0].size))
        picture = shown.render_band(samples[:rows])
        if rows >= len(samples):
            return picture
        whole = np.empty((len(samples), *picture.shape[1:]), np.uint8)
        whole[:rows] = picture
        for start in range(rows, len(samples), rows):
            whole[start : start + rows] = shown.render_band(samples[start : start + rows])
        return whole

    def render_band(self, samples: NDArray[Any]) -> Picture:
        """Return some rows of a frame as `render` does; gray levels need a window or table."""
        samples = np.ascontiguousarray(samples)
        image = replace(self.image, rows=samples.shape[0], columns=samples.shape[1])
        for step in self.steps:
            samples, image = step.apply(samples, image), step.describe(image)
        if image.samples_per_pixel == _COLORS:
            return _narrow(samples, image)
        if self.modality is None and self.voi is None:
            return self.rescaling(samples, image)
        return quantize_levels(samples, image, self.find_levels)

    def find_levels(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return stored values as levels from 0 to 1; MONOCHROME1 is not inverted."""
        if self.modality is not None:
            values = _look_up(self.modality, values)
        else:
            values = values * self.rescaling.slope + self.rescaling.intercept
        if self.voi is not None:
            top = max((1 << self.voi.bits) - 1, max(self.voi.entries))
            return _look_up(self.voi, values) / top
        assert self.rescaling.window is not None, "it reaches over the samples"
        return self.rescaling.window.find_levels(values)


def _look_up(table: LookUpTable, values: NDArray[Any]) -> NDArray[Any]:
    """Return the entries of values; those before the first and behind the last have these's."""
    entries = np.array(table.entries, np.float64)
    places = np.clip(np.nan_to_num(np.rint(values)) - table.first, 0, len(entries) - 1)
    found: NDArray[Any] = entries[places.astype(np.int64)]
    return found


def _find_extent_of_table(table: LookUpTable, extent: StoredRange) -> StoredRange:
    """Return the smallest and largest entry for the stored values of a range."""
    last = len(table.entries) - 1
    first, end = (int(min(max(value - table.first, 0), last)) for value in extent)
    within = table.entries[first : end + 1]
    return StoredRange(min(within), max(within))


def _narrow(samples: NDArray[Any], image: ImagePixelDescription) -> Picture:
    """Return colors as 8 bits, from their whole range."""
    low, high = image.sample_range
    if (low, high) == (0, _TOP):
        return samples.astype(np.uint8)
    levels = (samples.astype(np.float64) - low) / (high - low)
    return np.rint(levels * _TOP).astype(np.uint8)


class DisplayReader:
    """Reads how the frames of a file are shown; safe to use from several threads.

    An attribute of a frame's functional groups comes before one that all frames share, and that
    before one of the top level (PS3.3 C.7.6.16). Invalid numbers and tables count as absent.

    Args:
        data_set: of the file.
        image: describes the decoded samples of each frame.
        strict: whether colors that cannot be shown are an error; if not, they are shown in gray.

    Raises:
        UnsupportedImageError, MalformedFileError: such colors.
    """

    def __init__(
        self, data_set: DataSet, image: ImagePixelDescription, *, strict: bool = True
    ) -> None:
        self._image = image
        self._lock = allocate_lock()
        self._gray = GrayAttributes()
        self._last = self._gray
        self._frames: list[Display] = []
        self._groups: Iterator[DataSet] = iter(())
        self._all = Display(image)
        if image.monochrome:
            self._read_gray(data_set)
            return
        try:
            steps = find_color_routes(data_set, image, "RGB")[0][0]
        except (UnsupportedImageError, MalformedFileError):
            if strict:
                raise
            return
        self._all = replace(self._all, steps=steps)

    def find_display(self, frame: int) -> Display:
        """Return how a frame is shown.

        Args:
            frame: its number, from 0.
        """
        with self._lock:
            while len(self._frames) <= frame:
                item = self._take_item()
                if item is None:
                    return self._all
                self._frames.append(self._make_display(_read_group(self._gray, item)))
            return self._frames[frame]

    def _take_item(self) -> DataSet | None:
        """Return the next frame's functional groups; None if there are no more."""
        try:
            return next(self._groups, None)
        except DicodecError:
            return None

    def _read_gray(self, data_set: DataSet) -> None:
        self._gray = read_gray_values(data_set)
        with suppress(DicodecError):
            for item in data_set.read_items(tags.SHARED_FUNCTIONAL_GROUPS_SEQUENCE):
                self._gray = _read_group(self._gray, item)
        if self._gray.modality_lut_is_for_display:
            modality = _read_first_table(data_set, tags.MODALITY_LUT_SEQUENCE, self._image)
            self._all = replace(self._all, modality=modality)
        voi = _read_first_table(data_set, tags.VOI_LUT_SEQUENCE, self._image)
        self._all = self._make_display(self._gray, voi)
        if data_set.has_value(tags.PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE):
            self._groups = data_set.read_items(tags.PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE)

    def _make_display(self, gray: GrayAttributes, voi: LookUpTable | None = None) -> Display:
        if self._frames and gray == self._last:
            return self._frames[-1]
        self._last = gray
        try:
            rescaling = choose_rescaling(gray, self._image, [])
        except DicodecError:
            rescaling = Rescaling()
        return replace(self._all, rescaling=rescaling, voi=voi)


def _read_group(gray: GrayAttributes, item: DataSet) -> GrayAttributes:
    """Return the attributes with those of functional groups in place of the same ones."""
    with suppress(DicodecError):
        for one in item.read_items(tags.PIXEL_VALUE_TRANSFORMATION_SEQUENCE):
            found = read_gray_values(one)
            gray = replace(gray, slope=found.slope, intercept=found.intercept)
        for one in item.read_items(tags.FRAME_VOI_LUT_SEQUENCE):
            found = read_gray_values(one)
            gray = replace(
                gray,
                window_centers=found.window_centers,
                window_widths=found.window_widths,
                voi_function=found.voi_function,
            )
    return gray


def _read_first_table(
    data_set: DataSet, sequence: int, image: ImagePixelDescription
) -> LookUpTable | None:
    with suppress(DicodecError):
        for item in data_set.read_items(sequence):
            table = read_table(item, image)
            return table if table.entries else None
    return None
