"""Make a page that shows a frame of two files under a slider, and their difference, offline."""

from __future__ import annotations

from base64 import b64encode
from html import escape

from dicodec.images.display import Picture
from dicodec.images.pictures import PictureKind, encode_pictures

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from collections.abc import Sequence

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 1rem auto; padding: 0 1rem; }}
main {{ max-width: 64rem; margin: auto; }}
h1 {{ font-size: 1.25rem; overflow-wrap: anywhere; }}
h2 {{ font-size: 1rem; }}
.pair {{ position: relative; --at: 50%; }}
.pair img {{ display: block; width: 100%; image-rendering: pixelated; }}
.pair img + img {{ position: absolute; inset: 0; height: 100%; clip-path: inset(0 0 0 var(--at)); }}
.pair::after {{ content: ""; position: absolute; inset: 0 auto 0 var(--at); width: 2px; }}
.pair::after {{ background: #5a8cff; }}
input {{ width: 100%; min-height: 2rem; }}
.names {{ display: flex; justify-content: space-between; gap: 1rem; overflow-wrap: anywhere; }}
.difference {{ width: 100%; image-rendering: pixelated; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{numbers}</p>
<div class="pair" id="pair"><img src="{a}" alt="frame of A"><img src="{b}" alt="frame of B"></div>
<label for="at">A on the left of the line, B on the right</label>
<input id="at" type="range" min="0" max="100" value="50" step="1">
<p class="names"><span>A: {name_a}</span><span>B: {name_b}</span></p>
{difference}
</main>
<script>
const at = document.getElementById("at"), pair = document.getElementById("pair");
at.addEventListener("input", () => pair.style.setProperty("--at", at.value + "%"));
</script>
</body>
</html>
"""

_DIFFERENCE = """\
<h2>Difference, the largest error white</h2>
<img class="difference" src="{picture}" alt="difference of both frames">"""


def make_page(panes: Sequence[Picture], names: tuple[str, str], frame: int, numbers: str) -> str:
    """Return a page as one HTML document that needs no other file.

    Args:
        panes: the frame of A, the frame of B in the same size, and their difference, if any.
        names: of A and B, for people.
        frame: number of the frame, from 0.
        numbers: the differences in words.
    """
    sources = [
        "data:image/png;base64," + b64encode(encode_pictures(pane, PictureKind.PNG)).decode()
        for pane in panes
    ]
    difference = _DIFFERENCE.format(picture=sources[2]) if len(sources) > 2 else ""
    return _PAGE.format(
        title=escape(f"Frame {frame} of {names[0]} and {names[1]}"),
        numbers=escape(numbers),
        a=sources[0],
        b=sources[1],
        name_a=escape(names[0]),
        name_b=escape(names[1]),
        difference=difference,
    )
