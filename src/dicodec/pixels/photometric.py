"""Routes between Photometric Interpretations, as steps over samples (PS3.3 C.7.6.3.1.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dicodec.errors import UnsupportedImageError
from dicodec.model.image import ImagePixelDescription

if TYPE_CHECKING:
    from numpy.typing import NDArray

type SampleFunction = Callable[[NDArray[Any], ImagePixelDescription], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class PhotometricStep:
    """One change of Photometric Interpretation.

    Attributes:
        source, target: Photometric Interpretation before and after.
        rounds: whether values are rounded, so that the way back is not exact.
        apply: turns the samples of a frame, given the description before.
    """

    source: str
    target: str
    rounds: bool
    apply: SampleFunction

    def described(self, image: ImagePixelDescription) -> ImagePixelDescription:
        """Return the description after the step."""
        return replace(image, photometric_interpretation=self.target)

    @property
    def text(self) -> str:
        """The step in words."""
        return f"{self.source} is converted to {self.target}"


def _ybr_full_to_rgb(samples: NDArray[Any], image: ImagePixelDescription) -> NDArray[Any]:
    from dicodec.pixels.color import ybr_full_to_rgb

    return ybr_full_to_rgb(samples, image.bits_stored)


def _rgb_to_ybr_full(samples: NDArray[Any], image: ImagePixelDescription) -> NDArray[Any]:
    from dicodec.pixels.color import rgb_to_ybr_full

    return rgb_to_ybr_full(samples, image.bits_stored)


STEPS = (
    PhotometricStep("YBR_FULL", "RGB", rounds=True, apply=_ybr_full_to_rgb),
    PhotometricStep("RGB", "YBR_FULL", rounds=True, apply=_rgb_to_ybr_full),
)


def route(
    decoded: ImagePixelDescription, wanted: str
) -> Iterator[tuple[tuple[PhotometricStep, ...], ImagePixelDescription]]:
    """Yield ways to present decoded samples to an encoder, the preferred one first.

    Args:
        decoded: what the decoder returns.
        wanted: a Photometric Interpretation, "auto" for whatever the target takes, or "keep" for
            no change.

    Raises:
        UnsupportedImageError: no step leads to what is wanted.
    """
    stated = decoded.photometric_interpretation
    wanted_here = "YBR_FULL" if wanted == "YBR_FULL_422" else wanted
    if wanted in {"auto", "keep"} or wanted_here == stated:
        yield (), decoded
    if wanted == "keep":
        return
    ways = [
        step for step in STEPS if step.source == stated and wanted_here in {"auto", step.target}
    ]
    if wanted == "auto":
        ways = [step for step in ways if step.target == "RGB"]
    for step in ways:
        yield (step,), step.described(decoded)
    if not ways and wanted not in {"auto", stated} and wanted_here != stated:
        raise UnsupportedImageError(f"{stated} cannot be converted to {wanted}")
