"""Names of files and folders made of text that is not to be trusted."""

from __future__ import annotations

import unicodedata
from hashlib import blake2b

_LONGEST = 200
"""Bytes; file systems take 255, and a part file's name is longer than its target's."""

_UNSAFE = frozenset('/\\:*?"<>|')


def safe_component(text: str) -> str:
    """Return text as the name of one file or folder: it means nothing else, wherever it stands.

    Separators, control characters and what common file systems refuse become "_", and so do a
    leading and all trailing dots. What is too long is cut, with a digest of all of it at its end.
    """
    text = "".join("_" if _is_unsafe(character) else character for character in text).strip()
    stripped = text.rstrip(".")
    text = stripped + "_" * (len(text) - len(stripped))
    if text.startswith("."):
        text = "_" + text[1:]
    encoded = text.encode("utf-8", "surrogateescape")
    if len(encoded) > _LONGEST:
        digest = blake2b(encoded, digest_size=8).hexdigest()
        text = encoded[: _LONGEST - 17].decode("utf-8", "ignore") + "~" + digest
    return text or "_"


def _is_unsafe(character: str) -> bool:
    return character in _UNSAFE or unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def safe_relative(name: str) -> str:
    """Return a member's name in an archive as a path that stays below where it is put."""
    parts = name.replace("\\", "/").split("/")
    return "/".join(safe_component(part) for part in parts if part not in {"", "."}) or "_"
