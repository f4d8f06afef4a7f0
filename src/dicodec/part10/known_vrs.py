"""The VRs of tags, as the kernels need them: learned while elements are re-encoded.

All of it are facts of the dictionary, the same for every file. They are learned when a tag is first
met, because most of the dictionary is never needed.
"""

from __future__ import annotations

from dicodec._kernels import COMPILED
from dicodec.part10.dictionary import find_private_vr, find_vr
from dicodec.part10.implicit_vr import HEADERS, Level, VrHeader, find_header_by_tag
from dicodec.part10.other_kinds import is_of_another_kind

SETTLED: set[int] = set()
"""Tags with VRs, as tag << 16 and two letters, whose values mean the same without the VR."""

KNOWN: dict[int, int] = {}
"""VRs of tags of even groups that decide them, as the kernel numbers VRs."""

_OF_CREATORS: dict[str, dict[int, int]] = {}
"""The same for private tags, by the text of the Private Creator."""

_MOST = 1 << 14
_MOST_CREATORS = 64
_FIRST_OF_BLOCKS = 0x1000
"""Private elements from this number on belong to a block that a Private Creator reserves."""

_LETTERS = "" if COMPILED is None else COMPILED.VALUE_REPRESENTATIONS
_NUMBERS = {_LETTERS[at : at + 2].encode(): at // 2 for at in range(0, len(_LETTERS), 2)}


def settle(tag: int, header: VrHeader) -> None:
    """Remember a tag with a VR if whoever knows the tag reads values of that VR rightly.

    What should be a sequence depends on the value.
    """
    if len(SETTLED) < _MOST:
        stated, known = header.name.decode(), find_vr(tag) or "UN"
        if known != "SQ" and not any(
            is_of_another_kind(stated, one) for one in known.split(" or ")
        ):
            SETTLED.add(tag << 16 | int.from_bytes(header.name))


def learn_vr(tag: int, header: VrHeader, level: Level, blocks: dict[int, dict[int, int]]) -> None:
    """Remember the VR of a tag that has none stated, if tag and Private Creator alone decide it.

    Args:
        tag: of an element that was just read.
        header: of the VR that it got.
        level: the level that it is in.
        blocks: the known private elements of the level, by group and block; follows.
    """
    number = tag & 0xFFFF
    if not tag & 0x10000:
        if len(KNOWN) < _MOST and find_header_by_tag(tag) is header:
            KNOWN[tag] = _NUMBERS[header.name]
    elif number >= _FIRST_OF_BLOCKS:
        block = tag & 0xFFFF0000 | number >> 8
        creator = level.creators.get(block, "")
        known = blocks[block] = _get_known_of(creator)
        vr = find_private_vr(creator, tag)
        if len(known) < _MOST and (vr is None or HEADERS.get(vr.encode()) is header):
            known[tag] = _NUMBERS[header.name]
    elif tag in level.creators:  # perhaps another one than before
        blocks[tag] = _get_known_of(level.creators[tag])


def _get_known_of(creator: str) -> dict[int, int]:
    """Return the VRs of a creator's private tags that are known so far."""
    known = _OF_CREATORS.get(creator)
    if known is None:
        if len(_OF_CREATORS) >= _MOST_CREATORS:
            _OF_CREATORS.clear()  # levels that are read just now keep theirs
        known = _OF_CREATORS[creator] = {}
    return known
