"""The page, in a browser without a screen: a file through it, failures, the keyboard, colors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from playwright.sync_api import Browser, Page, expect

from dicodec import convert_bytes, inspect
from dicodec.model.option_table import PAGE, select_options
from helpers.browser import open_page, running_browser
from helpers.made import make_file
from helpers.service_process import RunningService, running

FILE = make_file(64, 48)[0]
TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as started:
        yield started


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running(tmp_path_factory.mktemp("service"), "--jobs", "2") as made:
        (made.root / "good.dcm").write_bytes(FILE)
        (made.root / "bad.dcm").write_text("hello")
        for name in ("good", "bad"):
            # Ids of the mapping `storage-event` have slashes.
            fields = {"source": f"{made.root}/{name}.dcm", "target": f"{made.root}/out-{name}"}
            made.submit(id=f"trace/{name}", to=["rle"], **fields)
            made.ended(f"trace%2F{name}")
        yield made


@pytest.fixture
def page(browser: Browser, service: RunningService) -> Iterator[Page]:
    complaints: list[str] = []
    shown = open_page(browser, service.url, complaints)
    shown.wait_for_selector("body[data-ready]")
    yield shown
    shown.context.close()
    assert complaints == []


def test_a_file_is_converted_shown_and_downloaded(page: Page, tmp_path: Path) -> None:
    source = tmp_path / "scan.dcm"
    source.write_bytes(FILE)
    page.get_by_role("combobox", name="To", exact=True).select_option("jpeg2000-lossless")
    page.locator("#files").set_input_files(source)
    item = page.locator("#conversions li", has_text="scan.dcm")
    expect(item).to_contain_text("explicit-le → jpeg2000-lossless")
    expect(item).to_contain_text("verified")
    expect(item.locator("img")).to_have_count(2)
    expect(page.get_by_alt_text("After: jpeg2000-lossless")).to_be_visible()
    with page.expect_download() as waiting:
        item.get_by_role("button", name="Download").click()
    assert waiting.value.suggested_filename == "scan.jpeg2000-lossless.dcm"
    assert Path(waiting.value.path()).read_bytes() == convert_bytes(FILE, to="jpeg2000-lossless")


def test_the_form_has_the_options_that_the_target_takes(page: Page, tmp_path: Path) -> None:
    to = page.get_by_role("combobox", name="To", exact=True)
    quality, near = page.locator("[name=quality]"), page.locator("[name=near]")
    to.select_option("jpeg")
    expect(quality).to_be_visible()
    expect(near).to_be_hidden()
    quality.fill("40")
    allowed = page.get_by_label("Allow a result that loses information")
    expect(allowed).to_be_checked()
    for name in ("jpeg2000", "htj2k", "jpegxl"):  # they need permission, too
        to.select_option("rle")
        expect(allowed).not_to_be_checked()
        to.select_option(name)
        expect(allowed).to_be_checked()
    to.select_option("jpeg-ls-near")
    expect(quality).to_be_hidden()
    expect(page.get_by_label("largest error of a sample (default 2), 0 to 255")).to_be_visible()
    near.fill("3")
    page.get_by_text("More options").click()
    page.locator("[name=set_attributes]").fill("PatientID=A\nPatientName=B^C\n")
    page.locator("[name=remove_attributes]").fill("StudyID")
    names = page.locator("#convert-form [name]").evaluate_all("all => all.map((one) => one.name)")
    assert {*names} == {"to", *select_options(PAGE)}
    source = tmp_path / "near.dcm"
    source.write_bytes(FILE)
    page.locator("#files").set_input_files(source)
    item = page.locator("#conversions li").first
    with page.expect_download() as waiting:
        item.get_by_role("button", name="Download").click()
    made = pydicom.dcmread(waiting.value.path())
    assert (made.PatientID, str(made.PatientName)) == ("A", "B^C")
    assert "StudyID" not in made
    assert inspect(waiting.value.path()).transfer_syntax == "jpeg-ls-near"


def test_a_dropped_file_that_is_none_says_so(page: Page) -> None:
    dropped = page.evaluate_handle(
        """() => { const data = new DataTransfer();
        data.items.add(new File(["hello"], "letter.txt")); return data; }"""
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": dropped})
    item = page.locator("#conversions li").first
    expect(item).to_contain_text("letter.txt")
    expect(item).to_contain_text("not a DICOM file")
    expect(page.locator("#convert-words")).to_contain_text("was not converted")


def test_a_failure_is_explained_and_tried_again(page: Page, service: RunningService) -> None:
    row = page.locator("#jobs tr", has_text="bad.dcm").first
    expect(row).to_contain_text("failed")
    row.get_by_role("button").click()
    details = page.get_by_role("dialog")
    expect(details).to_contain_text("not-dicom")
    expect(details).to_contain_text("Failed attempts")
    (service.root / "bad.dcm").write_bytes(FILE)
    details.get_by_role("button", name="Try again").click()
    expect(details).to_contain_text("transcoded")
    page.keyboard.press("Escape")
    expect(row).to_contain_text("done")


def test_failures_by_cause_lead_to_their_jobs(page: Page, service: RunningService) -> None:
    (service.root / "worse.dcm").write_bytes(FILE[:700])
    fields = {"source": f"{service.root}/worse.dcm", "target": f"{service.root}/out-worse"}
    job = service.submit(to=["rle"], **fields).json()["job"]["id"]
    code = service.ended(job)["error"]["code"]
    page.locator("#causes").get_by_role("button", name=code, exact=True).click()
    rows = page.locator("#jobs tr")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("worse.dcm")
    (service.root / "worse.dcm").write_bytes(FILE)
    page.get_by_role("button", name=f"Try {code} again").click()
    service.wait(lambda: service.job(job)["state"] == "done")
    expect(page.locator("#causes")).not_to_contain_text(code)


def test_new_jobs_appear_by_themselves(page: Page, service: RunningService) -> None:
    expect(page.locator("#connection")).to_have_text("live")
    fields = {"source": f"{service.root}/good.dcm", "target": f"{service.root}/out-live"}
    service.submit(id="live-job", to=["rle"], **fields)
    page.get_by_label("File, job or trace").fill("live-job")
    row = page.locator("#jobs tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("done")


def test_the_keyboard_is_enough(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("combobox", name="To", exact=True)).to_be_focused()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('#jobs') !== null"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert page.evaluate("document.activeElement.closest('#jobs') !== null")


def test_everything_has_a_name(page: Page) -> None:
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, img, svg, table, dialog")]
        .filter((one) => !(one.labels?.length || one.textContent.trim() || one.caption
            || one.getAttribute("aria-label") || one.getAttribute("aria-labelledby")
            || one.hasAttribute("alt") || one.getAttribute("placeholder")))
        .map((one) => one.outerHTML)"""
    )
    assert unnamed == []
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map((one) => one.tagName)")
    assert levels[0] == "H1"
    assert levels.count("H1") == 1


CONTRAST = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgb = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = (color) => { const [r, g, b] = rgb(color).slice(0, 3).map((one) => { one /= 255;
    return one <= .04045 ? one / 12.92 : ((one + .055) / 1.055) ** 2.4; });
    return .2126 * r + .7152 * g + .0722 * b; };
  const ground = (one) => { for (; one; one = one.parentElement) {
    const color = getComputedStyle(one).backgroundColor; if (rgb(color)[3] === 255) return color; }
    return getComputedStyle(document.body).backgroundColor; };
  const weak = [];
  for (const one of document.querySelectorAll("h1, h2, p, label, dt, dd, th, td, button, span, figcaption")) {
    if (!one.textContent.trim() || !one.checkVisibility()) continue;
    const [a, b] = [light(getComputedStyle(one).color), light(ground(one))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) weak.push(`${one.outerHTML.slice(0, 80)} ${ratio.toFixed(2)}`);
  }
  return weak;
}"""  # noqa: E501 - one program


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_and_nothing_sticks_out(
    browser: Browser, service: RunningService, scheme: Any
) -> None:
    complaints: list[str] = []
    size = {"width": 360, "height": 740}
    page = open_page(browser, service.url, complaints, color_scheme=scheme, viewport=size)
    page.wait_for_selector("body[data-ready]")
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.context.close()
    assert complaints == []


def test_the_token_is_asked_for(browser: Browser, tmp_path: Path) -> None:
    with running(tmp_path, "--jobs", "1", token=TOKEN) as service:
        page = open_page(browser, service.url, [])
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Token").fill("wrong")
        dialog.get_by_role("button").click()
        expect(dialog).to_contain_text("That is not the token.")
        dialog.get_by_label("Token").fill(TOKEN)
        dialog.get_by_role("button").click()
        page.wait_for_selector("body[data-ready]")
        expect(page.locator("#connection")).to_have_text("live")
        page.context.close()
