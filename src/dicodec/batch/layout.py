"""Layouts: paths of results made of attributes, such as "{PatientID}/{SOPInstanceUID}.dcm"."""

from __future__ import annotations

import string
from functools import lru_cache

from dicodec.batch.sources.safe_names import make_safe_component
from dicodec.errors import InvalidOptionError
from dicodec.model import tags
from dicodec.model.records import dataclass
from dicodec.options import ConversionOptions
from dicodec.part10.character_set import decode_text
from dicodec.part10.data_set import DataSet
from dicodec.part10.dictionary import find_vr, parse_tag

NOTHING = "unknown"
"""Text for an attribute that is absent or empty."""

type _Piece = tuple[str, int | None]
"""Literal text, and the tag of the attribute that follows it; None if none does."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A parsed layout: the components of a path, each made of pieces."""

    components: tuple[tuple[_Piece, ...], ...]

    def make_path(self, data_set: DataSet, options: ConversionOptions) -> str:
        """Return the path of a result, relative to the output folder.

        Args:
            data_set: the source's data set.
            options: options of the conversion; `set_attributes` and `remove_attributes` apply. A
                value never changes the structure of the path: a slash in it becomes "_".
        """
        overridden = _override(options)
        return "/".join(
            make_safe_component(
                "".join(
                    text + ("" if tag is None else _format_value(data_set, tag, overridden))
                    for text, tag in pieces
                )
            )
            for pieces in self.components
        )


@lru_cache(maxsize=4)
def parse_layout(text: str) -> Layout:
    """Parse a template: text with keywords or tags of attributes in braces.

    Raises:
        InvalidOptionError: the template names no attribute or an unknown one, or the path would
            leave the output folder.
    """
    components: list[list[_Piece]] = [[]]
    try:
        parsed = [*string.Formatter().parse(text)]
    except ValueError as cause:
        raise InvalidOptionError(f"the layout {text!r} cannot be read: {cause}") from cause
    for literal, name, form, conversion in parsed:
        first, *others = literal.split("/")
        components[-1].append((first, None))
        components += [[(other, None)] for other in others]
        if name is None:
            continue
        if form or conversion or not name:
            raise InvalidOptionError(f"the layout {text!r} has more in braces than a keyword")
        components[-1].append(("", parse_tag(name)))
    kept = [[piece for piece in pieces if piece != ("", None)] for pieces in components]
    if not all(kept) or any(pieces in ([(".", None)], [("..", None)]) for pieces in kept):
        raise InvalidOptionError(
            f"the layout {text!r} has to be a path below the output folder",
            hint="for example {PatientID}/{SOPInstanceUID}.dcm",
        )
    if all(tag is None for pieces in kept for _, tag in pieces):
        raise InvalidOptionError(
            f"the layout {text!r} names no attribute, so all paths would be the same"
        )
    return Layout(tuple(tuple(pieces) for pieces in kept))


@lru_cache(maxsize=4)
def _override(options: ConversionOptions) -> dict[int, str]:
    removed = dict.fromkeys((parse_tag(name) for name in options.remove_attributes), "")
    return removed | {parse_tag(name): value for name, value in options.set_attributes}


def _format_value(data_set: DataSet, tag: int, overridden: dict[int, str]) -> str:
    if tag in overridden:
        text = overridden[tag]
    elif data_set.find(tag) is None:
        text = ""
    elif find_vr(tag) in {"US", "SS", "UL", "SL"}:
        number = data_set.read_number(tag)
        text = "" if number is None else str(number)
    else:
        named = data_set.read_text(tags.SPECIFIC_CHARACTER_SET)
        text = decode_text(data_set.read_value(tag) or b"", named).strip("\0 ")
    return text or NOTHING
