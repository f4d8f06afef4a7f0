"""axe-core, which examines a page for barriers; `make setup-test` fetches it (tools/axe)."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Page

from helpers.installed import end_without

_RUN = """async () => {
  const { violations } = await axe.run();
  return violations.flatMap((one) => one.nodes.map((node) =>
    `${one.id}: ${node.html.slice(0, 120)}: ${node.failureSummary}`));
}"""


def find_barriers(page: Page) -> list[str]:
    """Return what axe-core finds in a page as it is now, in words."""
    path = Path(sys.prefix) / "axe" / "node_modules" / "axe-core" / "axe.min.js"
    if not path.exists():
        end_without("axe-core")
    page.evaluate(path.read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(_RUN)
    return found
