"""The options of the calls by name, for type checkers: `**options: Unpack[ConversionSettings]`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypedDict

from dicodec.model.limits import Limits


class ConversionSettings(TypedDict, total=False):
    """The options of the calls, as they take them; see ConversionOptions for each."""

    photometric: str
    lossy: bool
    quality: int | None
    near: int | None
    ratio: float | None
    psnr: float | None
    rescale_to_8bit: bool
    set_attributes: Mapping[str, str] | Iterable[tuple[str, str]]
    remove_attributes: str | Iterable[str]
    keep_uid: bool
    offset_table: str
    charset: str | None
    standardize: bool
    salvage: str | None
    strict: bool
    engine: str
    overwrite: bool
    backup: str | None
    durability: str
    verify: bool | str
    workers: int | None
    timeout: float | None
    limits: Limits
