"""Make names of files and folders from untrusted text."""

from __future__ import annotations

import re

_LONGEST = 200
"""Bytes of a name. File systems take 255, and a part file's name is longer than its target's."""

_RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(\..*)?", re.I | re.S
)
"""Names that Windows takes for devices, with any extension."""

_UNSAFE = frozenset('/\\:*?"<>|')
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def make_safe_component(text: str) -> str:
    """Return text as the name of one file or folder, which never changes the folder of a path.

    Separators, control characters and characters that common file systems refuse become "_", and
    so do a leading dot and all trailing dots. Names of Windows' devices (CON, NUL.dcm) get a
    leading "_". A long text is cut, and ends with a digest of it.
    """
    from unicodedata import category  # few batches name anything

    text = "".join(
        "_" if one in _UNSAFE or category(one) in _UNSAFE_CATEGORIES else one for one in text
    ).strip()
    stripped = text.rstrip(".")
    text = stripped + "_" * (len(text) - len(stripped))
    if text.startswith("."):
        text = "_" + text[1:]
    if _RESERVED.fullmatch(text):
        text = f"_{text}"
    encoded = text.encode("utf-8", "surrogateescape")
    if len(encoded) > _LONGEST:
        from hashlib import blake2b

        digest = blake2b(encoded, digest_size=8).hexdigest()
        text = encoded[: _LONGEST - 17].decode("utf-8", "ignore") + "~" + digest
    return text or "_"


def make_safe_path(name: str) -> str:
    """Return a member's name as a relative path that never leaves its folder."""
    parts = name.replace("\\", "/").split("/")
    return "/".join(make_safe_component(part) for part in parts if part not in {"", "."}) or "_"
