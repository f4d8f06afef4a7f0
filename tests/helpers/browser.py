"""Chromium without a screen, and pages in it that complain of nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from helpers.installed import program

_PIXELS = """(image) => {
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight).getContext("2d");
  canvas.drawImage(image, 0, 0);
  return [...canvas.getImageData(0, 0, image.naturalWidth, image.naturalHeight).data];
}"""


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Yield Debian's Chromium."""
    chromium = program("chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


def open_page(
    browser: Browser, url: str, complaints: list[str], token: str | None = None, **context: Any
) -> Page:
    """Return a page; what the browser complains of is added, other sites are an error.

    Args:
        browser: the browser.
        url: URL of the page.
        complaints: is added to.
        token: is in the page's storage, as if somebody had typed it.
        **context: options of the browser's context.
    """
    page = browser.new_context(**context).new_page()
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    site = "/".join(url.split("/")[:3])
    page.on(
        "request",
        lambda asked: (
            complaints.append(asked.url) if not asked.url.startswith((site, "blob:")) else None
        ),
    )
    if token is not None:
        page.add_init_script(f"sessionStorage.setItem('dicodec-token', '{token}')")
    page.goto(url)
    return page


def read_pixels(image: Locator) -> NDArray[np.uint8]:
    """Return the red levels of an image element."""
    columns = image.evaluate("(image) => image.naturalWidth")
    levels = np.array(image.evaluate(_PIXELS), np.uint8)
    return levels.reshape(-1, columns, 4)[..., 0]
