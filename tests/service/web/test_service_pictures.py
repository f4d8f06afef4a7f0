"""Pictures of frames through windows, differences, and measures of a result beside its source."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray

from dicodec import compare, convert_bytes
from dicodec.batch.pool.messages import WorkContext
from dicodec.errors import UnsupportedSourceError
from dicodec.images.image import Image
from dicodec.part10.beneath import Beneath
from dicodec.service.web.pair_measures import PairItem, render_difference
from helpers.made import make_file
from helpers.service_process import RunningService, running

WINDOW = [(0x00281050, "DS", b"2000"), (0x00281051, "DS", b"3000 ")]
RAMP = np.add.outer(np.arange(96) * 20, np.arange(128) * 16).astype(np.uint16)
PIXELS = np.stack([RAMP, RAMP[::-1], np.zeros_like(RAMP)])


def ramp_file(**more: Any) -> bytes:
    return make_file(96, 128, frames=3, bits_stored=12, pixels=PIXELS, **more)[0]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    with running(folder, "--jobs", "2", "--rate", "0") as made:
        yield made


def uploaded(service: RunningService, content: bytes, query: str) -> str:
    answer = service.client.post(f"/api/uploads?{query}", content=content)
    assert answer.status_code == 202, answer.text
    job: str = answer.json()["job"]["id"]
    assert service.ended(job)["state"] == "done", service.job(job)
    return job


def picture(service: RunningService, path: str, **query: Any) -> NDArray[Any]:
    answer = service.client.get(f"/api/jobs/{path}", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "image/png"
    decoded: NDArray[Any] = imagecodecs.png_decode(answer.content)
    return decoded


def measures(service: RunningService, job: str, **query: Any) -> dict[str, Any]:
    answer = service.client.get(f"/api/jobs/{job}/measures", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_frame_is_shown_through_a_window(service: RunningService) -> None:
    content = ramp_file(extra=WINDOW)
    job = uploaded(service, content, "to=jpeg-ls")
    with Image(BytesIO(content)) as image:
        for side in ("source", "result"):
            auto = picture(service, f"{job}/preview/{side}", frame=1)
            assert np.array_equal(auto, image.read_frame(1, photometric="RGB", window="auto"))
            narrow = picture(service, f"{job}/preview/{side}", frame=1, center=900, width=50.5)
            wanted = image.read_frame(1, photometric="RGB", window=(900, 50.5))
            assert np.array_equal(narrow, wanted)
            assert not np.array_equal(narrow, auto)
    assert max(picture(service, f"{job}/preview/source", size=40).shape[:2]) <= 40


@pytest.mark.parametrize("query", ["center=1", "width=1", "center=1&width=0", "center=nan&width=1"])
def test_half_a_window_is_refused(service: RunningService, query: str) -> None:
    job = uploaded(service, ramp_file(), "to=rle")
    answer = service.client.get(f"/api/jobs/{job}/preview/source?{query}")
    assert answer.status_code in {400, 422}, answer.text
    assert answer.json()["error"]["code"] == "invalid-request"


def test_measures_of_a_lossy_result_are_those_of_compare(
    service: RunningService, tmp_path: Path
) -> None:
    content = ramp_file(extra=WINDOW)
    job = uploaded(service, content, "to=jpeg-ls-near&near=5")
    paths = tmp_path / "a.dcm", tmp_path / "b.dcm"
    paths[0].write_bytes(content)
    paths[1].write_bytes(service.client.get(f"/api/jobs/{job}/result").content)
    witness = compare(*paths).pixels
    assert witness is not None
    found = measures(service, job)
    assert found["measured_frames"] == 3
    assert found["reasons"] == []
    for name in ("psnr", "largest_error", "mean_absolute_error"):
        assert found[name] == getattr(witness, name), name
    assert 0 < found["largest_error"] <= 5
    assert found["source"]["window"] == {"center": 2000, "width": 3000}
    assert found["source"]["window_stated"]
    assert [found[side]["frames"] for side in ("source", "result")] == [3, 3]
    one = measures(service, job, frame=1)
    assert one["measured_frames"] == 1
    assert one["psnr"] == witness.frames[1].psnr
    assert measures(service, job, frame=2)["psnr"] is None  # all equal
    with Image(paths[0]) as before, Image(paths[1]) as after:
        errors = np.abs(before.read_frame(1).astype(int) - after.read_frame(1).astype(int))
    shown = picture(service, f"{job}/difference", frame=1)
    assert np.array_equal(shown[..., 0], np.rint(errors * 255 / errors.max()))
    assert not picture(service, f"{job}/difference", frame=2).any()


def test_both_sides_have_one_window_if_neither_states_one(service: RunningService) -> None:
    job = uploaded(service, ramp_file(), "to=jpeg2000&ratio=30")
    found = measures(service, job, frame=0)
    low, high = int(RAMP.min()), int(RAMP.max())
    wanted = {"center": (low + high) / 2, "width": high - low}
    assert found["source"]["window"] == found["result"]["window"] == wanted
    assert not found["source"]["window_stated"]


def test_an_inverted_result_has_a_window_of_its_own(service: RunningService) -> None:
    """MONOCHROME1 becomes MONOCHROME2: the values are others, and so is the window of them."""
    content = ramp_file(photometric="MONOCHROME1")
    job = uploaded(service, content, "to=explicit-le&photometric=MONOCHROME2")
    found = measures(service, job, frame=0)
    centers = [found[side]["window"]["center"] for side in ("source", "result")]
    assert centers[1] == 4095 - centers[0]
    pictures = [
        picture(service, f"{job}/preview/{side}", **found[side]["window"])
        for side in ("source", "result")
    ]
    assert int(np.abs(pictures[0].astype(int) - pictures[1]).max()) <= 1


def test_results_with_other_frames_are_not_compared(service: RunningService) -> None:
    damaged = convert_bytes(ramp_file(), to="rle")[:-900]
    job = uploaded(service, damaged, "to=explicit-le&salvage=drop")
    found = measures(service, job)
    assert found["psnr"] is None
    assert "Number of Frames" in found["reasons"][0]
    answer = service.client.get(f"/api/jobs/{job}/difference")
    assert answer.status_code == 422
    assert "Number of Frames" in answer.json()["error"]["message"]


def test_what_cannot_be_shown_says_so(service: RunningService) -> None:
    job = uploaded(service, ramp_file(), "to=rle")
    for path in ("preview/source", "difference", "measures"):
        answer = service.client.get(f"/api/jobs/{job}/{path}?frame=3")
        assert answer.status_code == 422, path
        assert answer.json()["error"]["message"].startswith("there is no frame 3")
    (service.root / "bad.dcm").write_text("hello")
    fields = {"source": f"{service.root}/bad.dcm", "target": f"{service.root}/out"}
    failed = service.submit(to=["rle"], **fields).json()["job"]["id"]
    service.ended(failed)
    assert service.client.get(f"/api/jobs/{failed}/measures").status_code == 409


def test_the_difference_of_a_huge_frame_is_refused_before_it_takes_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(ramp_file())
    item = PairItem(Beneath(str(tmp_path), "a"), Beneath(str(tmp_path), "a"))
    unused = cast("WorkContext", None)
    assert render_difference(None, item, unused).startswith(b"\x89PNG")
    monkeypatch.setattr("dicodec.service.web.pair_measures._MOST_SHOWN", 96 * 128 - 1)
    with pytest.raises(UnsupportedSourceError, match="too large"):
        render_difference(None, item, unused)
