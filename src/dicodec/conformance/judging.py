"""Judge a converter's result: is it the same image, does its header say so, do others read it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from dicodec.comparison.compare import Comparison, compare
from dicodec.conformance.cases import Case
from dicodec.conformance.running import Run
from dicodec.conformance.verdicts import Verdict
from dicodec.conversion.gdcm import decode_file, find_reason_against
from dicodec.errors import DicodecError
from dicodec.images.image import Image
from dicodec.interface.open_image import open_image
from dicodec.model import tags
from dicodec.model.transfer_syntax import EXPLICIT_LE
from dicodec.repair.opening import open_tolerantly

_WORDS_KEPT = 160
_GDCM_SECONDS = 60


class Judge:
    """Judges results against right files.

    Args:
        independent: whether GDCM, if it is installed, decodes right results too. It is always
            asked before a result counts as wrong.
    """

    def __init__(self, *, independent: bool) -> None:
        self._has_gdcm = find_spec("gdcm") is not None
        self._independent = independent and self._has_gdcm

    def judge(self, case: Case, run: Run, right: Path, result: Path) -> tuple[Verdict, list[str]]:
        """Return the verdict, and in words what is not right.

        Args:
            case: what was asked.
            run: how the converter ended.
            right: the right native file.
            result: where the result should be.
        """
        left = ["a file is left behind"] if run.status != 0 and result.exists() else []
        if run.status is None:
            return Verdict.TIMED_OUT, [f"killed after {run.seconds:.0f} s", *left]
        if run.crashed:
            return Verdict.CRASHED, [_find_last_words(run) or f"status {run.status}", *left]
        if run.status != 0:
            verdict = Verdict.RIGHT if case.refused and not left else Verdict.REFUSED
            return verdict, [_find_last_words(run), *left]
        if not result.is_file() or not result.stat().st_size:
            return Verdict.UNREADABLE, ["exit status 0 without a result"]
        if case.refused:
            return self._judge_salvage(case, run, right, result)
        return self._judge_sound(case, right, result)

    def _judge_sound(self, case: Case, right: Path, result: Path) -> tuple[Verdict, list[str]]:
        try:
            found = compare(right, result, tolerance=case.tolerance, workers=1)
        except DicodecError as error:
            if self._reads_right(case, right, result):
                return Verdict.RIGHT, [f"GDCM alone reads it: {error.code}"]
            return Verdict.UNREADABLE, [f"{error.code}: {error.message}"[:_WORDS_KEPT]]
        if wrong := _find_wrong_pixels(case, found):
            if self._reads_right(case, right, result):
                return Verdict.RIGHT, ["GDCM alone reads it right"]
            return Verdict.WRONG_PIXELS, wrong
        faults = _find_header_faults(case, found, right, result)
        notes = self._ask_gdcm(case, right, result)
        return (Verdict.OTHER_HEADER if faults else Verdict.RIGHT), [*faults, *notes]

    def _judge_salvage(
        self, case: Case, run: Run, right: Path, result: Path
    ) -> tuple[Verdict, list[str]]:
        """Judge a result of damaged frames: what is whole has to be right, and the rest told."""
        told = bool(run.words)
        try:
            with open_image(right) as wanted, open_image(result) as made:
                wrong = [frame for frame in case.sound if not _is_same_frame(wanted, made, frame)]
        except DicodecError as error:
            return Verdict.UNREADABLE, [f"{error.code}: {error.message}"[:_WORDS_KEPT]]
        if wrong:
            return Verdict.WRONG_PIXELS, [f"frames {wrong} are other ones"]
        if not told:
            return Verdict.WRONG_PIXELS, ["exit status 0, and not a word of the damage"]
        return Verdict.SALVAGED, [_find_last_words(run)]

    def _ask_gdcm(self, case: Case, right: Path, result: Path) -> list[str]:
        if not self._independent or self._is_unfit_for_gdcm(result):
            return []
        if self._reads_right(case, right, result):
            return []
        return ["GDCM does not read these samples"]

    def _reads_right(self, case: Case, right: Path, result: Path) -> bool:
        """Whether GDCM, which shares no code with dicodec, reads the right samples."""
        if not self._has_gdcm:
            return False
        native = result.with_name("gdcm.dcm")
        try:
            decode_file(str(result), str(native), timeout=_GDCM_SECONDS)
            found = compare(
                right, native, tolerance=case.tolerance, ignore_attributes=True, workers=1
            )
        except DicodecError:
            return False
        finally:
            native.unlink(missing_ok=True)
        return not _find_wrong_pixels(case, found)

    def _is_unfit_for_gdcm(self, result: Path) -> bool:
        """Whether GDCM is known not to decode such a file, or to decode it wrongly."""
        with open_tolerantly(result) as file:
            image = file.frames.description if file.frames.present else None
            if image is None:
                return True
            return bool(find_reason_against(file.syntax, EXPLICIT_LE, image, lossless=True))


def _find_wrong_pixels(case: Case, found: Comparison) -> list[str]:
    pixels = found.pixels
    if pixels is None:
        return ["there are no pixels"]
    if pixels.differences:
        return list(pixels.differences)
    if case.lowest_psnr is not None:
        psnr = pixels.psnr
        return [] if psnr is None or psnr >= case.lowest_psnr else [f"PSNR {psnr:.1f} dB"]
    if pixels.equal:
        return []
    return [f"largest error of a sample: {pixels.largest_error:g}"]


def _find_header_faults(case: Case, found: Comparison, right: Path, result: Path) -> list[str]:
    faults = [
        f"{change.keyword or change.tag}{change.where} {change.change}"
        for change in found.unexpected
    ]
    if found.transfer_syntaxes[1] != case.made_to:
        faults.insert(0, f"it is in {found.transfer_syntaxes[1]}")
    with open_tolerantly(right) as wanted, open_tolerantly(result) as made:
        lossy = made.data_set.read_text(tags.LOSSY_IMAGE_COMPRESSION)
        recorded = wanted.data_set.read_text(tags.LOSSY_IMAGE_COMPRESSION) == "01"
        same = made.data_set.read_text(tags.SOP_INSTANCE_UID) == wanted.data_set.read_text(
            tags.SOP_INSTANCE_UID
        )
    if recorded and lossy != "01":
        faults.append("the record of lossy compression is gone")
    if case.lossy == case.made_to and case.lossy:
        if lossy != "01":
            faults.append("lossy compression is not recorded")
        if same:
            faults.append("SOP Instance UID is the original's")
    return faults


def _is_same_frame(wanted: Image, made: Image, frame: int) -> bool:
    if frame >= len(made):
        return False
    one, other = wanted.read_frame(frame), made.read_frame(frame)
    return one.shape == other.shape and bool((one == other).all())


def _find_last_words(run: Run) -> str:
    lines = [line.strip() for line in run.words.splitlines() if line.strip()]
    return lines[-1][-_WORDS_KEPT:] if lines else ""
