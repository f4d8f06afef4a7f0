"""Write the table of a conversion's options in docs/command.md, from their declarations.

python tools/option_table.py
"""

from __future__ import annotations

from pathlib import Path

from dicodec.model.option_table import OPTIONS, Choice, Flag, Number, Option

PAGE = Path(__file__).parents[1] / "docs" / "command.md"
BEGIN = "<!-- made by tools/option_table.py from src/dicodec/model/option_table.py -->\n"
END = "<!-- end of what is made -->\n"


def table() -> str:
    """Return the table, in Markdown."""
    rows = [f"| {_switches(option)} | {_meaning(option)} |" for option in OPTIONS.values()]
    return "\n".join(["| option of the conversion | meaning |", "|---|---|", *rows]) + "\n"


def page_with(made: str, page: str) -> str:
    """Return a page with the table between its two marks."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}{made}{END}{after}"


def _switches(option: Option) -> str:
    switch, kind = option.switch, option.kind
    if isinstance(kind, Flag):
        off = [f"--no-{switch.removeprefix('--')}"] if kind.words else []
        names = [switch, *off, *(f"{switch}={word}" for word in kind.words)]
        return ", ".join(f"`{name}`" for name in names)
    value = option.metavar
    if isinstance(kind, Number) and not value:
        value = f"{kind.lowest}-{kind.highest}"
    return f"`{switch} {value}`"


def _meaning(option: Option) -> str:
    text = option.about
    match option.kind:
        case Number(lowest, highest):
            text += f"; {lowest} to {highest}"
        case Choice(words):
            text += ": " + ", ".join(_choice(option, word) for word in words)
        case Flag(words) if words:
            text += "".join(f"; `{word}`: {explanation}" for word, explanation in words.items())
    return f"{text}. {option.details}" if option.details else text


def _choice(option: Option, word: str) -> str:
    assert isinstance(option.kind, Choice)
    said = ["default"] * (word == option.default) + [option.kind.words[word]]
    text = ": ".join(part for part in said if part)
    return f"`{word}` ({text})" if text else f"`{word}`"


if __name__ == "__main__":
    PAGE.write_text(page_with(table(), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
