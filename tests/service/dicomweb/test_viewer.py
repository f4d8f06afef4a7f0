"""Cornerstone3D shows frames: its samples, and its canvas, are ours in every transfer syntax."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest
from PIL import Image as Picture
from playwright.sync_api import Browser, Page
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

import dicodec
from dicodec.dicomweb import DicomWeb
from dicodec.model.transfer_syntax import TRANSFER_SYNTAXES, Loss, TransferSyntax
from dicodec.service.dicomweb.media_types import may_be_sent
from helpers.browser import open_page, running_browser
from helpers.dicomweb import find_path, make_store_request, serving, split_parts
from helpers.installed import end_without
from helpers.made import Samples, make_file
from helpers.orthanc import running_orthanc

OCTETS = "application/octet-stream"
VIEWER = Path(__file__).parents[3] / ".venv" / "viewer"
FILES = {
    "gray": make_file(48, 64, bits_stored=12, frames=2, seed=3),
    "signed": make_file(48, 64, bits_stored=12, signed=True, seed=5),
    "bytes": make_file(48, 64, bits_allocated=8, bits_stored=8, seed=6),
    "color": make_file(
        40, 56, samples=3, bits_allocated=8, bits_stored=8, photometric="RGB", seed=4
    ),
}
SENT = [one for one in TRANSFER_SYNTAXES if one.writes and may_be_sent(one)]
NOT_HELD = {
    "jpeg": {"gray", "signed"},  # 8 bits, unsigned
    "jpeg-extended": {"signed", "color"},
    "jpeg-ls-near": {"signed"},
    "jpegxl": {"signed"},
}
LARGEST_ERROR = 2
"""Difference of two decoders of a lossy stream, which round in other places."""

TOO_BRIGHT = 15
"""What the viewer's decoder of JPEG of 12 bits adds to every sample; ours adds nothing."""


class Shown(NamedTuple):
    """What the page has.

    Attributes:
        page: the viewer.
        url: base URL of DICOMweb.
        complaints: of the browser.
    """

    page: Page
    url: str
    complaints: list[str]

    def call(self, function: str, name: str, frame: int, accept: str) -> Any:
        """Return what a function of the viewer returns for a frame."""
        path = find_path(FILES[name][0])
        arguments = [f"{self.url}{path}", frame, accept]
        return self.page.evaluate(f"(given) => {function}(...given)", arguments)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not (VIEWER / "viewer.js").exists():
        end_without("Cornerstone3D (npm)")
    with running_browser() as started:
        yield started


@pytest.fixture(scope="module")
def viewer(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """Yield the viewer beside a folder of files, mounted in a program of ours."""
    folder = tmp_path_factory.mktemp("shown")
    for name, (content, _) in FILES.items():
        (folder / f"{name}.dcm").write_bytes(content)
    yield from show(browser, DicomWeb(folder, jobs=1))


def show(browser: Browser, app: DicomWeb) -> Iterator[Shown]:
    static = StaticFiles(directory=VIEWER, html=True)

    @asynccontextmanager
    async def live(_: Starlette) -> AsyncIterator[None]:
        yield
        await app.aclose()

    routes = [Mount("/dicom-web", app), Mount("/", static)]
    program = Starlette(routes=routes, lifespan=live)
    complaints: list[str] = []
    with serving(program) as url:
        page = open_page(browser, f"{url}/", complaints)
        page.wait_for_selector("body[data-ready]", state="attached")
        yield Shown(page, f"{url}/dicom-web", complaints)
        page.context.close()
    assert complaints == []


def read_samples(loaded: dict[str, Any], like: Samples) -> Samples:
    """Return the samples that the viewer has, without the opacity that it may add to colors."""
    samples = np.array(loaded["samples"], dtype=np.int64)
    if loaded["color"] and samples.size == loaded["rows"] * loaded["columns"] * 4:
        samples = samples.reshape(-1, 4)[:, :3]
    return samples.reshape(like.shape)


@pytest.mark.parametrize("syntax", SENT, ids=lambda one: one.name)
def test_the_viewer_has_our_samples(viewer: Shown, syntax: TransferSyntax) -> None:
    if syntax.name == "jpegxl-jpeg":
        pytest.skip("only JPEG streams are repacked")
    accept = f"multipart/related; type={OCTETS}; transfer-syntax={syntax.uid}"
    for name in ("signed", "color") if syntax.loss is Loss.NEVER else FILES:
        content, samples = FILES[name]
        if name in NOT_HELD.get(syntax.name, ()):
            refused = httpx.get(
                f"{viewer.url}{find_path(content)}/frames/1", headers={"accept": accept}
            )
            assert refused.status_code == 406
            continue
        loaded = viewer.call("loadFrame", name, 1, accept)
        assert loaded["syntax"] == syntax.uid
        shown = read_samples(loaded, samples[0])
        if syntax.loss is Loss.NEVER:
            np.testing.assert_array_equal(shown, samples[0], name)
            continue
        whole = httpx.get(
            f"{viewer.url}{find_path(content)}",
            headers={"accept": f"application/dicom; transfer-syntax={syntax.uid}"},
        )
        with dicodec.open_image(whole.content) as image:
            wanted = image.read_frame(0, photometric="RGB" if name == "color" else None)
        if syntax.name == "jpeg-extended" and name == "gray":
            assert abs(float(np.mean(wanted - samples[0].astype(np.int64)))) < 0.5
            inner = (wanted > 0) & (wanted < 4095 - TOO_BRIGHT)  # the others were cut off
            shown, wanted = shown[inner] - TOO_BRIGHT, wanted[inner]
        assert np.abs(shown - wanted.astype(np.int64)).max() <= LARGEST_ERROR, name


def test_frames_as_they_are_stored_and_the_default_are_shown(viewer: Shown) -> None:
    _, samples = FILES["gray"]
    for accept in ("multipart/related; type=application/octet-stream; transfer-syntax=*", "*/*"):
        loaded = viewer.call("loadFrame", "gray", 2, accept)
        np.testing.assert_array_equal(read_samples(loaded, samples[1]), samples[1])


@pytest.mark.parametrize("name", ["bytes", "color"])
def test_the_canvas_has_the_pixels_of_the_rendered_frame(viewer: Shown, name: str) -> None:
    content, samples = FILES[name]
    drawn = viewer.call(
        "drawFrame", name, 1, 'multipart/related; type="image/jphc"; transfer-syntax=*'
    )
    canvas = np.array(drawn, np.uint8).reshape(*samples.shape[1:3], 4)[..., :3]
    rendered = httpx.get(
        f"{viewer.url}{find_path(content)}/rendered", headers={"accept": "image/png"}
    )
    wanted = np.asarray(Picture.open(io.BytesIO(rendered.content)).convert("RGB")).astype(int)
    assert np.abs(canvas - wanted).max() <= 1


def test_frames_of_an_archive_are_shown(browser: Browser, tmp_path: Path) -> None:
    with running_orthanc(tmp_path / "orthanc") as server:
        for shown in show(browser, DicomWeb(f"{server.url}/dicom-web", jobs=1)):
            for content, _ in FILES.values():
                stored = httpx.post(f"{shown.url}/studies", **make_store_request(content))
                assert stored.status_code == 200
            for name, (content, samples) in FILES.items():
                for uid in ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.80"):
                    accept = f"multipart/related; type={OCTETS}; transfer-syntax={uid}"
                    loaded = shown.call("loadFrame", name, 1, accept)
                    assert loaded["syntax"] == uid
                    shown_samples = read_samples(loaded, samples[0])
                    np.testing.assert_array_equal(shown_samples, samples[0], name)
                (part,) = split_parts(httpx.get(f"{shown.url}{find_path(content)}/frames/1"))
                assert part.content == samples[0].tobytes()
