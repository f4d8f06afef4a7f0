"""The page with a token: its viewer, lists, dropped folders, ZIP files, barriers."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from dicodec import compare, convert_bytes
from dicodec.images.image import Image
from helpers.axe import find_barriers
from helpers.browser import open_page, read_pixels, running_browser
from helpers.made import make_file
from helpers.service_process import RunningService, running

TOKEN = "0123456789abcdef0123456789abcdef"
MARKUP = "<img src=x onerror=alert(1)>.dcm"
RAMP = np.add.outer(np.arange(96) * 20, np.arange(96) * 20).astype(np.uint16)
WINDOW = [(0x00281050, "DS", b"2000"), (0x00281051, "DS", b"3000 ")]
ROLLED = np.stack([np.roll(RAMP, 16 * at, axis=1) for at in range(4)])
CINE = make_file(96, 96, frames=4, bits_stored=12, extra=WINDOW, pixels=ROLLED)[0]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as started:
        yield started


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running(tmp_path_factory.mktemp("service"), "--jobs", "2", token=TOKEN) as made:
        for name, query in (("cine.dcm", ""), (MARKUP, ""), ("other.dcm", "&tenant=b")):
            upload(made, name, CINE, f"to=jpeg-ls-near&near=6{query}")
        yield made


def upload(service: RunningService, name: str, content: bytes, query: str) -> str:
    answer = service.client.post(f"/api/uploads?{query}", files={"file": (name, content)})
    job: str = answer.json()["job"]["id"]
    service.ended(job)
    return job


@pytest.fixture
def page(browser: Browser, service: RunningService) -> Iterator[Page]:
    complaints: list[str] = []
    shown = open_page(browser, service.url, complaints, TOKEN)
    shown.wait_for_selector("body[data-ready]")
    yield shown
    shown.context.close()
    assert complaints == []


def open_viewer(page: Page) -> None:
    item = page.locator("#conversions li", has_text="cine.dcm")
    item.get_by_role("button", name="Before: explicit-le").click()
    expect(page.locator("#viewer-measures")).to_contain_text("PSNR")
    expect(page.locator("#viewer-stage [data-side=result]")).to_be_visible()


def expect_picture(page: Page, side: str, frame: int, window: Any = "auto") -> None:
    """Wait until a side shows what `read_frame` returns."""
    content = CINE if side == "source" else convert_bytes(CINE, to="jpeg-ls-near", near=6)
    with Image(BytesIO(content)) as image:
        wanted = image.read_frame(frame, window=window)
    shown = page.locator(f"#viewer-stage [data-side={side}]")
    for _ in range(100):
        if np.array_equal(read_pixels(shown), wanted):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{side} does not show frame {frame}")


def test_frames_are_enlarged_and_windowed_by_keys_and_mouse(page: Page) -> None:
    open_viewer(page)
    stage = page.locator("#viewer-stage")
    expect(stage).to_be_focused()
    for side in ("source", "result"):
        expect_picture(page, side, 0)
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    expect(page.locator("#viewer-number")).to_have_value("3")
    expect_picture(page, "source", 2)
    expect(page.locator("#viewer-measures")).to_contain_text("Frame 3: PSNR")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_label("Window center")).to_have_value("2060")  # 2 % of the width
    page.keyboard.press("Shift+ArrowLeft")
    width = float(page.get_by_label("Window width").input_value())
    assert 2400 < width < 2500
    for side in ("source", "result"):
        expect_picture(page, side, 2, (2060, width))
    page.get_by_label("Window center").fill("1000")
    page.get_by_label("Window width").fill("500")
    expect_picture(page, "result", 2, (1000, 500))
    page.get_by_role("button", name="The file's window").click()
    expect_picture(page, "result", 2)
    box = stage.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 20, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 20, middle - box["height"] / 10, steps=3)
    page.mouse.up()
    expect(page.get_by_label("Window center")).to_have_value("2300")
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, middle, steps=3)
    page.mouse.up()
    expect(page.locator("#viewer-slider")).to_have_value("25")
    expect(page.get_by_label("Window center")).to_have_value("2300")


def test_the_difference_and_its_numbers_are_those_of_compare(page: Page, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(CINE)
    (tmp_path / "b").write_bytes(convert_bytes(CINE, to="jpeg-ls-near", near=6))
    pixels = compare(tmp_path / "a", tmp_path / "b").pixels
    assert pixels is not None
    assert pixels.psnr is not None
    words = page.locator("#conversions li", has_text="cine.dcm").locator(".measures")
    words.scroll_into_view_if_needed()
    expect(words).to_contain_text(f"PSNR {pixels.psnr:.1f} dB, largest error 6,")
    open_viewer(page)
    page.keyboard.press("4")
    expect(page.get_by_role("radio", name="Difference")).to_be_checked()
    shown = page.locator("#viewer-stage [data-side=difference]")
    expect(shown).to_be_visible()
    assert read_pixels(shown).max() == 255
    page.keyboard.press("3")
    expect(shown).to_be_hidden()
    expect_picture(page, "result", 0)


def test_frames_are_played(page: Page) -> None:
    open_viewer(page)
    page.get_by_label("Speed").select_option("10")
    page.locator("#viewer-stage").press(" ")
    expect(page.locator("#viewer-play")).to_have_text("Pause")
    for number in ("3", "1", "2"):  # around once
        expect(page.locator("#viewer-number")).to_have_value(number)
    page.locator("#viewer-play").click()
    stopped = page.locator("#viewer-number").input_value()
    expect_picture(page, "source", int(stopped) - 1)
    page.wait_for_timeout(300)
    assert page.locator("#viewer-number").input_value() == stopped
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()


def test_lists_after_a_reload_are_those_of_a_tenant(
    browser: Browser, service: RunningService, page: Page
) -> None:
    names = page.locator("#conversions .name")
    expect(names.filter(has_text="cine.dcm")).to_have_count(1)
    expect(names.filter(has_text=MARKUP)).to_have_count(1)  # as text
    expect(names.filter(has_text="other.dcm")).to_have_count(0)
    theirs = open_page(browser, f"{service.url}?tenant=b", [], TOKEN)
    theirs.wait_for_selector("body[data-ready]")
    expect(theirs.locator("#conversions .name")).to_have_text(["other.dcm"])
    expect(theirs.locator("#jobs tr")).to_have_count(1)
    theirs.context.close()


def test_a_dropped_folder_comes_back_as_a_zip(page: Page, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    for name in ("one/IM1.dcm", "two/IM1.dcm", "two/.hidden"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(CINE)
    page.get_by_role("combobox", name="To", exact=True).select_option("rle")
    box = page.locator("#drop").bounding_box()
    assert box is not None
    drag = {
        "x": box["x"] + 30, "y": box["y"] + 30,
        "data": {"items": [], "files": [str(folder)], "dragOperationsMask": 1},
    }  # fmt: skip
    browser_tools = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        browser_tools.send("Input.dispatchDragEvent", {"type": kind, **drag})
    expect(page.locator("#convert-words")).to_have_text("2 of 2 files converted.")
    expect(page.locator("#conversions .name", has_text="study/two/IM1.dcm")).to_have_count(1)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download all 4 as ZIP").click()
    with zipfile.ZipFile(waiting.value.path()) as packed:
        names = packed.namelist()
        assert packed.read("study/one/IM1.rle.dcm") == convert_bytes(CINE, to="rle")
    assert {"study/two/IM1.rle.dcm", "cine.jpeg-ls-near.dcm"} <= {*names}
    page.locator("#folder").set_input_files(folder)
    expect(page.locator("#conversions .name", has_text="study/two/IM1.dcm")).to_have_count(2)


def test_purposes_stand_before_policies_and_names(page: Page, tmp_path: Path) -> None:
    to = page.get_by_role("combobox", name="To", exact=True)
    labels = to.locator("optgroup").evaluate_all("all => all.map((one) => one.label)")
    assert labels == ["By purpose", "By policy", "By transfer syntax"]
    assert to.locator("option").all_text_contents()[:4] == [
        "Smallest, nothing is lost", "For the web", "fast-archive", "legacy",
    ]  # fmt: skip
    expect(to).to_have_value("policy:archive")
    to.select_option(label="For the web")
    expect(page.locator("#about-target")).to_contain_text("What Cornerstone3D decodes")
    expect(page.locator("[name=quality]")).to_be_hidden()
    source = tmp_path / "web.dcm"
    source.write_bytes(convert_bytes(CINE, to="jpegxl-lossless"))
    page.locator("#files").set_input_files(source)
    item = page.locator("#conversions li", has_text="web.dcm")
    expect(item).to_contain_text("jpegxl-lossless → htj2k-lossless")


def test_a_busy_service_is_asked_again(
    browser: Browser, service: RunningService, tmp_path: Path
) -> None:
    """Of a folder with thousands of files some come too fast."""
    page = open_page(browser, service.url, [], TOKEN)
    page.wait_for_selector("body[data-ready]")
    asked: list[str] = []

    def refuse_once(route: Any) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            route.fulfill(status=429, headers={"Retry-After": "0.1"}, body="{}")
        else:
            route.continue_()

    page.route("**/api/uploads?*", refuse_once)
    source = tmp_path / "patient.dcm"
    source.write_bytes(CINE)
    page.locator("#files").set_input_files(source)
    expect(page.locator("#convert-words")).to_have_text("patient.dcm is converted.")
    assert len(asked) == 2
    page.context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 360), ("dark", 1280)])
def test_axe_finds_no_barriers(
    browser: Browser, service: RunningService, scheme: Any, width: int
) -> None:
    size = {"width": width, "height": 800}
    page = open_page(browser, service.url, [], TOKEN, color_scheme=scheme, viewport=size)
    page.wait_for_selector("body[data-ready]")
    assert find_barriers(page) == []
    open_viewer(page)
    page.get_by_text("Mouse and keys").click()
    assert find_barriers(page) == []
    assert page.evaluate("document.getElementById('viewer').scrollWidth") <= width
    page.keyboard.press("Escape")
    page.locator("#jobs button").first.click()
    page.get_by_text("Before and after", exact=True).click()
    expect(page.locator("#details img")).to_have_count(2)
    assert find_barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.context.close()
