"""The report of a ledger as one page: charts and tables, which need no other file and no script."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from html import escape

from dicodec.batch.ledger.ledger import Ledger
from dicodec.batch.ledger.tables import LedgerEntry, State
from dicodec.batch.ledger.totals import By, Total
from dicodec.model.implementation import VERSION
from dicodec.model.wording import format_size, write_on_one_line

_MOST_FAILURES = 200
"""Failed files that the page lists; `dicodec jobs LEDGER list` has all."""

_MOST_BARS = 20
"""Bars of a chart; the table below it has all values."""

_TITLES = {
    By.MODALITY: ("By modality", "Bytes before and after, by modality"),
    By.SYNTAX: ("By transfer syntax", "Bytes before and after, by transfer syntaxes"),
    By.CAUSE: ("By outcome and cause", "Files by outcome and cause"),
    By.SAVING: ("By saving", "Files by the part of their bytes that is saved"),
}

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --page: #fff; --ink: #1a1a1a; --line: #6b6b6b;
  --before: #6f7f99; --after: #0b5cad; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --page: #16181c; --ink: #ececec; --line: #9a9a9a; --before: #8b99b0; --after: #6cb2ff; }}
}}
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 0; background: var(--page);
  color: var(--ink); }}
main {{ max-width: 60rem; margin: 1rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.5rem; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.2rem; margin-top: 2rem; }}
table {{ border-collapse: collapse; width: 100%; }}
caption {{ text-align: left; }}
th, td {{ border-bottom: 1px solid var(--line); padding: .25rem .5rem; text-align: left;
  overflow-wrap: anywhere; vertical-align: top; }}
td.number, th.number {{ text-align: right; font-variant-numeric: tabular-nums;
  overflow-wrap: normal; }}
svg {{ width: 100%; height: auto; }}
svg text {{ fill: var(--ink); font: 13px system-ui, sans-serif; }}
.before {{ fill: var(--before); }}
.after {{ fill: var(--after); }}
@media print {{ main {{ max-width: none; }} h2 {{ break-after: avoid; }} }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{words}</p>
{sections}
<p>Made by dicodec {version} on {made}.</p>
</main>
</body>
</html>
"""


def make_page(ledger: Ledger, name: str) -> str:
    """Return the report of a ledger as one HTML document.

    Args:
        ledger: an open ledger.
        name: of the ledger, for people.
    """
    totals = {by: ledger.read_totals_by(by) for by in By}
    parts = [_make_numbers(totals[By.CAUSE]), _make_runs(ledger)]
    for by, found in totals.items():
        if found:
            parts.append(_make_section(by, found))
    parts.append(_make_failures(ledger))
    before = sum(one.bytes_before for one in totals[By.CAUSE])
    after = sum(one.bytes_after for one in totals[By.CAUSE])
    return _PAGE.format(
        title=_show(f"Conversions of {name}"),
        words=_show(_describe_saving(before, after)),
        sections="\n".join(part for part in parts if part),
        version=VERSION,
        made=time.strftime("%Y-%m-%d %H:%M:%S %z"),
    )


def _show(value: object) -> str:
    """Return a text as HTML; control characters and names that are not text are escaped too."""
    text = write_on_one_line(str(value))
    return escape(text.encode("utf-8", "backslashreplace").decode())


def _describe_saving(before: int, after: int) -> str:
    if not before:
        return "No file has a result."
    saved = _format_part(1 - after / before)
    return f"{format_size(before)} before, {format_size(after)} after: {saved}."


def _format_part(saved: float | None) -> str:
    if saved is None:
        return ""
    return f"{saved:.1%} saved" if saved >= 0 else f"{-saved:.1%} more"


def _make_numbers(causes: Sequence[Total]) -> str:
    states: dict[str, int] = {}
    for one in causes:
        state = one.value.partition(",")[0]
        states[state] = states.get(state, 0) + one.files
    return _make_table("Files by state", ("State", "Files"), [*states.items()])


def _make_runs(ledger: Ledger) -> str:
    rows = [
        (arguments, _format_time(started), _format_time(ended) if ended else "has not ended")
        for arguments, started, ended in ledger.read_runs()
    ]
    return "<h2>Runs</h2>\n" + _make_table("Runs of the batch", ("Command", "From", "To"), rows)


def _format_time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _make_section(by: By, totals: Sequence[Total]) -> str:
    title, about = _TITLES[by]
    by_bytes = by in {By.MODALITY, By.SYNTAX}
    rows = [
        (one.value, one.files, one.bytes_before, one.bytes_after, _format_part(one.saved))
        for one in totals
    ]
    heads = (title.removeprefix("By ").capitalize(), "Files", "Bytes before", "Bytes after", "")
    table = _make_table(about, (*heads[:4], "Saved"), rows)
    return f"<h2>{title}</h2>\n{_make_chart(by, about, totals, by_bytes=by_bytes)}\n{table}"


def _make_chart(by: By, about: str, totals: Sequence[Total], *, by_bytes: bool) -> str:
    """Return a chart of bars as SVG; a screen reader has its title, and the table behind it."""
    shown = totals[:_MOST_BARS]
    most = max(max(one.bytes_before, one.bytes_after) if by_bytes else one.files for one in shown)
    rows, height = [], 44 if by_bytes else 26
    for number, one in enumerate(shown):
        top = number * height
        label = one.value if len(one.value) <= 34 else f"{one.value[:33]}…"
        rows.append(f'<text x="0" y="{top + 17}">{_show(label)}</text>')
        bars = [(one.files, "after", f"{one.files:,}")]
        if by_bytes:
            bars = [
                (one.bytes_before, "before", f"{format_size(one.bytes_before)} before"),
                (one.bytes_after, "after", f"{format_size(one.bytes_after)} after"),
            ]
        for place, (value, kind, text) in enumerate(bars):
            width = round(370 * value / most) if most else 0
            y = top + 3 + 19 * place
            rows.append(f'<rect class="{kind}" x="250" y="{y}" width="{width}" height="16"/>')
            rows.append(f'<text x="{256 + width}" y="{y + 13}">{_show(text)}</text>')
    return (
        f'<svg viewBox="0 0 760 {len(shown) * height}" role="img" aria-labelledby="chart-{by}">'
        f'<title id="chart-{by}">{_show(about)}; the table below has the same numbers</title>'
        f"{''.join(rows)}</svg>"
    )


def _make_failures(ledger: Ledger) -> str:
    rows: list[Sequence[object]] = []
    more = 0
    for entry, _ in ledger.read_entries([State.FAILED]):
        if len(rows) < _MOST_FAILURES:
            rows.append(_describe_failure(entry))
        else:
            more += 1
    if not rows:
        return ""
    note = f"<p>And {more} more: `dicodec jobs LEDGER list --state failed`.</p>" if more else ""
    table = _make_table("Failed files", ("File", "Code", "Cause"), rows)
    return f"<h2>Failures</h2>\n{table}\n{note}"


def _describe_failure(entry: LedgerEntry) -> Sequence[object]:
    return entry.source, entry.error_code or "", entry.error_text or ""


def _make_table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [[*row] for row in rows]
    numeric = [all(isinstance(line[at], int) for line in lines) for at in range(len(heads))]

    def make_row(cells: Sequence[object]) -> str:
        first, *others = cells
        parts = [f'<th scope="row">{_show(first)}</th>']
        for number, cell in enumerate(others, 1):
            text = f"{cell:,}" if isinstance(cell, int) else str(cell)
            kind = ' class="number"' if numeric[number] else ""
            parts.append(f"<td{kind}>{_show(text)}</td>")
        return f"<tr>{''.join(parts)}</tr>"

    head = "".join(
        f'<th scope="col"{" class=number" if number and right else ""}>{_show(text)}</th>'
        for number, (text, right) in enumerate(zip(heads, numeric, strict=True))
    )
    body = "\n".join(make_row(line) for line in lines)
    return (
        f"<table><caption>{_show(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody></table>"
    )
