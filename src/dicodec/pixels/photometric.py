"""Routes between Photometric Interpretations, as steps over samples (PS3.3 C.7.6.3.1.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dicodec.errors import UnsupportedImageError
from dicodec.model.image import SAMPLES_PER_PIXEL, YBR_PARTIAL, ImagePixelDescription
from dicodec.model.records import dataclass, replace

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

type SampleFunction = Callable[[NDArray[Any], ImagePixelDescription], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class PhotometricStep:
    """One change of Photometric Interpretation, or of the bits that gray levels are given.

    Attributes:
        source, target: Photometric Interpretation before and after.
        rounds: whether values are rounded or merged, so that the way back is not exact.
        apply: turns the samples of a frame, given the description before.
        bits: Bits Allocated and Bits Stored after it; None if they stay.
        how: further words about the step for people; "" if there are none.
    """

    source: str
    target: str
    rounds: bool
    apply: SampleFunction
    bits: int | None = None
    how: str = ""

    def describe(self, image: ImagePixelDescription) -> ImagePixelDescription:
        """Return the description after the step."""
        after = replace(
            image,
            photometric_interpretation=self.target,
            samples_per_pixel=SAMPLES_PER_PIXEL.get(self.target, image.samples_per_pixel),
        )
        if self.bits is None:
            return after
        return replace(
            after,
            bits_allocated=self.bits,
            bits_stored=self.bits,
            high_bit=self.bits - 1,
            pixel_representation=0,
        )

    @property
    def text(self) -> str:
        """The step in words."""
        bits = "" if self.bits is None else f" of {self.bits} bits"
        how = f": {self.how}" if self.how else ""
        return f"{self.source} is converted to {self.target}{bits}{how}"


def _ybr_full_to_rgb(samples: NDArray[Any], image: ImagePixelDescription) -> NDArray[Any]:
    from dicodec.pixels.color import ybr_full_to_rgb

    return ybr_full_to_rgb(samples, image.bits_stored)


def _rgb_to_ybr_full(samples: NDArray[Any], image: ImagePixelDescription) -> NDArray[Any]:
    from dicodec.pixels.color import rgb_to_ybr_full

    return rgb_to_ybr_full(samples, image.bits_stored)


def _ybr_partial_to_rgb(samples: NDArray[Any], image: ImagePixelDescription) -> NDArray[Any]:
    from dicodec.pixels.color import ybr_partial_to_rgb

    return ybr_partial_to_rgb(samples, image.bits_stored)


def _halve_chroma(samples: NDArray[Any], image: ImagePixelDescription) -> NDArray[Any]:  # noqa: ARG001
    from dicodec.pixels.color import halve_chroma

    return halve_chroma(samples)


def _invert(samples: NDArray[Any], image: ImagePixelDescription) -> NDArray[Any]:
    """Return gray levels counted from the other end of Bits Stored: exact, and its own reverse."""
    if image.floating:
        raise UnsupportedImageError("floating point samples have no largest value to invert from")
    ones = -1 if image.signed else (1 << image.bits_stored) - 1
    inverted: NDArray[Any] = samples ^ samples.dtype.type(ones)
    return inverted


HALVED_CHROMA = {
    target: PhotometricStep(
        source, target, rounds=True, apply=_halve_chroma, how="chroma columns are halved"
    )
    for source, target in (("YBR_FULL", "YBR_FULL_422"), (YBR_PARTIAL, "YBR_PARTIAL_422"))
}
"""By Photometric Interpretation after it."""
STEPS = (
    PhotometricStep("YBR_FULL", "RGB", rounds=True, apply=_ybr_full_to_rgb),
    PhotometricStep("RGB", "YBR_FULL", rounds=True, apply=_rgb_to_ybr_full),
    PhotometricStep(YBR_PARTIAL, "RGB", rounds=True, apply=_ybr_partial_to_rgb),
    *HALVED_CHROMA.values(),
    PhotometricStep(
        "MONOCHROME1", "MONOCHROME2", rounds=False, apply=_invert, how="samples are inverted"
    ),
    PhotometricStep(
        "MONOCHROME2", "MONOCHROME1", rounds=False, apply=_invert, how="samples are inverted"
    ),
)

type Route = tuple[PhotometricStep, ...]


def apply_steps(steps: Route, samples: NDArray[Any], image: ImagePixelDescription) -> NDArray[Any]:
    """Return the samples of a frame after some steps, of which the first starts from `image`."""
    for step in steps:
        samples, image = step.apply(samples, image), step.describe(image)
    return samples


def find_routes(
    decoded: ImagePixelDescription, wanted: str, steps: Route = STEPS
) -> Iterator[tuple[Route, ImagePixelDescription]]:
    """Yield ways to present decoded samples to an encoder, the preferred one first.

    Args:
        decoded: the description of the decoder's samples.
        wanted: a Photometric Interpretation, "auto" for any that the target takes, or "keep" for
            no change. YBR_FULL_422 also yields those that codecs halve the chroma of.
        steps: the steps to choose from; of two that lead the same way the first is preferred.

    Raises:
        UnsupportedImageError: no step leads to it.
    """
    if wanted == "keep":
        yield (), decoded
        return
    if wanted == "auto":
        ends = {decoded.photometric_interpretation, "RGB"}
    else:
        ends = {wanted, "YBR_FULL", "RGB"} if wanted == "YBR_FULL_422" else {wanted}
    found = False
    for way, image in _find_all_routes(decoded, steps):
        if image.photometric_interpretation in ends:
            found = True
            yield way, image
    if not found:
        stated = decoded.photometric_interpretation
        raise UnsupportedImageError(
            f"{stated} cannot be converted to {wanted}", attribute="PhotometricInterpretation"
        )


def _find_all_routes(
    decoded: ImagePixelDescription, steps: Route
) -> Iterator[tuple[Route, ImagePixelDescription]]:
    """Yield all routes that pass no Photometric Interpretation twice, the shortest first."""
    waiting: list[tuple[Route, ImagePixelDescription]] = [((), decoded)]
    for way, image in waiting:  # grows on the way
        yield way, image
        passed = {decoded.photometric_interpretation, *(step.target for step in way)}
        waiting += [
            ((*way, step), step.describe(image))
            for step in steps
            if step.source == image.photometric_interpretation and step.target not in passed
        ]
