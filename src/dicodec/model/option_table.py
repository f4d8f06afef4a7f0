"""Options of a conversion, declared once: type, range, choices, default, help, entrances.

From these rows are made: the checks of ConversionOptions, the command's arguments, the fields of a
request, the keys of a policy's rule, the page's form, the schemas, and the table in
docs/command.md. This module imports next to nothing, because `--help` needs it, and its
classes are plain, because named tuples and data classes take milliseconds to make.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

FILL, DROP = "fill", "drop"
NEVER, TOGETHER, EACH = "none", "batch", "file"
"""The values of `durability`."""

INDEPENDENT = "independent"
"""The value of `verify` that asks for another decoder's opinion."""

REQUEST, RULE, PAGE = "request", "rule", "page"
"""Entrances beside the calls and the command, which take every option."""

_ENTRANCES = (REQUEST, RULE, PAGE)
_NONE: Mapping[str, str] = MappingProxyType({})


class Flag:
    """An option that is true or false; or one of some words.

    Attributes:
        words: values beside true and false, each with its explanation.
    """

    __slots__ = __match_args__ = ("words",)

    def __init__(self, words: Mapping[str, str] = _NONE) -> None:
        self.words = words

    @property
    def wanted(self) -> str:
        """The values that it takes, as a phrase."""
        *others, last = "true", "false", *self.words
        return f"{', '.join(others)} or {last}"

    def fits(self, value: object) -> bool:
        """Return whether it takes a value."""
        return isinstance(value, bool) or (isinstance(value, str) and value in self.words)


class Number:
    """An option that is a number.

    Attributes:
        lowest, highest: the range, both ends included.
        whole: whether it has to be an integer.
    """

    __slots__ = __match_args__ = ("lowest", "highest", "whole")

    def __init__(self, lowest: float, highest: float, *, whole: bool = True) -> None:
        self.lowest = lowest
        self.highest = highest
        self.whole = whole

    @property
    def wanted(self) -> str:
        """The values that it takes, as a phrase."""
        return f"a {'whole ' * self.whole}number from {self.lowest} to {self.highest}"

    def fits(self, value: object) -> bool:
        """Return whether it takes a value."""
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        return self.lowest <= value <= self.highest


class Choice:
    """An option that is one of some words.

    Attributes:
        words: each with its explanation, which may be empty.
    """

    __slots__ = __match_args__ = ("words",)

    def __init__(self, words: Mapping[str, str]) -> None:
        self.words = words

    @property
    def wanted(self) -> str:
        """The values that it takes, as a phrase."""
        return f"one of {', '.join(self.words)}"

    def fits(self, value: object) -> bool:
        """Return whether it takes a value."""
        return isinstance(value, str) and value in self.words


class Text:
    """An option that is a text.

    Attributes:
        longest: characters.
    """

    __slots__ = __match_args__ = ("longest",)

    def __init__(self, longest: int = 10_240) -> None:
        self.longest = longest

    @property
    def wanted(self) -> str:
        """The values that it takes, as a phrase."""
        return f"a text of 1 to {self.longest} characters"

    def fits(self, value: object) -> bool:
        """Return whether it takes a value."""
        return isinstance(value, str) and 0 < len(value) <= self.longest


class Texts:
    """An option that is several texts."""

    wanted = "a list of texts"

    def fits(self, value: object) -> bool:
        """Return whether it takes a value."""
        return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)


class TextsByName:
    """An option that gives texts to keywords: pairs, or an object of JSON."""

    wanted = "a table of keywords, each with its text"

    def fits(self, value: object) -> bool:
        """Return whether it takes a value."""
        pairs = list(value.items()) if isinstance(value, Mapping) else value
        pair = Texts()
        return isinstance(pairs, list | tuple) and all(
            pair.fits(one) and len(one) == 2 for one in pairs
        )


class Bounds:
    """An option that is a `Limits`."""

    wanted = "Limits"

    def fits(self, value: object) -> bool:
        """Return whether it takes a value."""
        from dicodec.model.limits import Limits

        return isinstance(value, Limits)


type Kind = Flag | Number | Choice | Text | Texts | TextsByName | Bounds


class Option:
    """A row: one option of a conversion.

    Attributes:
        name: of the field of ConversionOptions.
        kind: type and range.
        help: a phrase for `--help` and schemas, without a full stop.
        details: further sentences, for docs/command.md only.
        default: the value if none is given.
        metavar: stands for the value in `--help`; "" for the range or the choices.
        short: in place of the name: in the command's switch, and as a key of a rule.
        targets: transfer syntaxes that take it, by short name; () if it does not concern encoding.
            The encoders get it as the field of EncoderSettings that has its name.
        permits_loss: whether to give it is to allow loss, in the targets that take it.
        taken_by: entrances beside calls and command.
    """

    def __init__(
        self,
        name: str,
        kind: Kind,
        help: str,  # noqa: A002 - as argparse calls it
        details: str = "",
        *,
        default: Any = None,
        metavar: str = "",
        short: str = "",
        targets: tuple[str, ...] = (),
        permits_loss: bool = False,
        taken_by: tuple[str, ...] = _ENTRANCES,
    ) -> None:
        self.name = name
        self.kind = kind
        self.help = help
        self.details = details
        self.default = default
        self.metavar = metavar
        self.short = short
        self.targets = targets
        self.permits_loss = permits_loss
        self.taken_by = taken_by

    @property
    def about(self) -> str:
        """Its help, with the targets that take it."""
        return f"{self.help}; of {', '.join(self.targets)}" if self.targets else self.help

    @property
    def key(self) -> str:
        """Its name in a rule of a policy."""
        return self.short or self.name

    @property
    def switch(self) -> str:
        """Its name on the command line."""
        return f"--{self.key.replace('_', '-')}"


TO = Option("to", Texts(), "acceptable transfer syntaxes, the first preferred", metavar="A,B,C")
"""The transfer syntax of the result: no option, because a conversion cannot be without it."""

_BY_QUALITY = ("jpeg", "jpeg-extended", "jpegxl", "jpeg2000", "htj2k")
_BY_RATE = ("jpeg2000", "htj2k")

_ROWS = (
    Option(
        "photometric",
        Choice({
            "auto": "it changes only if the target asks for it", "keep": "not even then",
            "MONOCHROME1": "", "MONOCHROME2": "", "RGB": "", "YBR_FULL": "", "YBR_FULL_422": "",
        }),
        "Photometric Interpretation of the result",
        default="auto", metavar="PI",
    ),
    Option(
        "lossy", Flag(), "allow a result that loses information",
        "A quality setting is permission too, for the targets that take it. If no target takes "
        "it, that is wrong usage",
        default=False,
    ),
    Option(
        "quality", Number(1, 100),
        "quality of a lossy result (default 90): JPEG's scale, or JPEG XL's; a PSNR of 30 + "
        "quality / 4 dB in jpeg2000 and htj2k",
        targets=_BY_QUALITY, permits_loss=True,
    ),
    Option(
        "near", Number(0, 255), "largest error of a sample (default 2)",
        metavar="N", targets=("jpeg-ls-near",), permits_loss=True,
    ),
    Option(
        "ratio", Number(1, 1000, whole=False), "compression ratio to reach, within a tenth",
        "A result that misses it by more than a tenth has a warning",
        metavar="R", targets=_BY_RATE, permits_loss=True,
    ),
    Option(
        "psnr", Number(20, 110, whole=False), "peak signal-to-noise ratio to reach, in dB",
        "Not beside `--ratio`. A result that misses it by more than 1 dB has a warning",
        metavar="DB", targets=_BY_RATE, permits_loss=True,
    ),
    Option(
        "rescale_to_8bit", Flag(),
        "map more than 8 bits to 8, by rescaling and window; makes a derived, lossy image",
        "Gray levels go by Rescale Slope and Intercept and the first window, or from the smallest "
        "to the largest value if there is none; see [photometric.md](photometric.md). A lossy "
        "target needs its own permission",
        default=False,
    ),
    Option(
        "set_attributes", TextsByName(), "set an attribute of the result; may be repeated",
        "By keyword or tag; a backslash separates values. You cannot set the description of the "
        "pixels, nor the record of their losses, nor an empty UID of the instance. Another "
        "Specific Character Set is refused if text that stays would not be in it: `--charset` "
        "re-encodes",
        default=(), metavar="KEYWORD=VALUE", short="set",
    ),
    Option(
        "remove_attributes", Texts(), "remove an attribute from the result; may be repeated",
        "By keyword or tag, private ones too; not SOP Class UID and SOP Instance UID",
        default=(), metavar="KEYWORD", short="remove",
    ),
    Option(
        "keep_uid", Flag(), "keep the SOP Instance UID of a lossy result, which is another image",
        "Otherwise it gets a new one",
        default=False,
    ),
    Option(
        "offset_table",
        Choice({
            "auto": "basic, or extended if 32 bits may not suffice",
            "basic": "", "extended": "", "empty": "",
        }),
        "offset table of an encapsulated result",
        default="auto", metavar="KIND",
    ),
    Option(
        "verify",
        Flag({INDEPENDENT: "have GDCM decode the result too; an error if it cannot"}),
        "decode the result again and compare before it is put in place",
        "Frames and elements are compared. Without it, only results that replace an original are "
        "verified, and those always. See [in-place.md](in-place.md)",
        default=False,
    ),
    Option(
        "charset", Text(),
        "write all text in UTF-8, read by the stated character set or by FROM",
        "Text of sequences too; Specific Character Set follows. FROM is for a source that states a "
        "wrong one: defined terms such as `ISO_IR 100` or `GB18030`. Text with a byte that the "
        "character set does not have is an error that names the attribute",
        metavar="[FROM:]utf-8",
    ),
    Option(
        "standardize", Flag(),
        "bring the data set to the form that a strict reader takes",
        "As far as nothing has to be invented: see [oddities.md](oddities.md) for each oddity. "
        "Without it, every element without an edit comes out byte for byte as it was",
        default=False,
    ),
    Option(
        "salvage",
        Choice({FILL: "the others are filled with padding", DROP: "they are left out"}),
        "of a damaged file, convert the frames that are whole",
        "The result is marked and is another image, and the exit status is 1; not with "
        "`--in-place`. See [damage.md](damage.md)",
        metavar="MODE",
    ),
    Option(
        "limits", Bounds(),
        "bound a claim of a file, such as frame_size=512M; may be repeated",
        "See [limits.md](limits.md)",
        metavar="NAME=VALUE", short="limit", taken_by=(),
    ),
    Option("strict", Flag(), "refuse a source that departs from the standard or contradicts itself",
           default=False),
    Option(
        "engine",
        Choice({"auto": "our own codecs", "gdcm": "GDCM, in a process of its own"}),
        "program that decodes and encodes",
        default="auto", metavar="ENGINE",
    ),
    Option(
        "timeout", Number(0.1, 7 * 24 * 3600, whole=False),
        "seconds that a file of a batch may take, or another engine",
        "Without it GDCM has 120, and 5 for each MB of frames",
        metavar="S", taken_by=(RULE,),
    ),
    Option(
        "workers", Number(1, 256), "threads for the frames of a file (default: one a core)",
        "The result does not depend on it",
        metavar="N", taken_by=(),
    ),
    Option("overwrite", Flag(), "replace a target that exists", default=False,
           taken_by=(REQUEST,)),
    Option(
        "backup", Text(),
        "keep a file that is replaced under its name with SUFFIX added",
        "Another file of that name is never overwritten. See [in-place.md](in-place.md)",
        metavar="SUFFIX", taken_by=(),
    ),
    Option(
        "durability",
        Choice({
            NEVER: "the system writes it when it likes, and a power cut may lose it",
            TOGETHER: "of a batch, the results of about half a second together",
            EACH: "each before the next file is begun",
        }),
        "when a result is synced to the disk",
        "A result that replaces its source, or that `--backup` keeps an original beside, is synced "
        "always: `--in-place` refuses `none`. See [folders.md](folders.md#durability)",
        default=TOGETHER, metavar="WHEN", taken_by=(),
    ),
)  # fmt: skip

OPTIONS: Mapping[str, Option] = {row.name: row for row in _ROWS}
"""All options, by name, in the order of `--help`."""


def select_options(entrance: str) -> dict[str, Option]:
    """Return the options that an entrance takes, by name: REQUEST, RULE or PAGE."""
    return {name: option for name, option in OPTIONS.items() if entrance in option.taken_by}
