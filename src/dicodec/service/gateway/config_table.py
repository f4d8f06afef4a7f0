"""A table of a gateway's configuration: values by key, checked."""

from __future__ import annotations

from pathlib import Path

from dicodec.batch.policy.conditions import check_keys
from dicodec.errors import InvalidOptionError
from dicodec.service.gateway.config import TlsOptions

TYPE_CHECKING = False  # for type checkers it is true
if TYPE_CHECKING:
    from typing import Any

_LONGEST_TITLE = 16
_TLS_KEYS = ("cert", "key", "ca", "name")


class ConfigTable:
    """A table; its getters raise InvalidOptionError, which names the table and the key.

    Args:
        given: the table, as TOML has it.
        where: its name, such as "[receive]".
        folder: folder that relative paths start from.

    Raises:
        InvalidOptionError: it is no table.
    """

    def __init__(self, given: Any, where: str, folder: Path) -> None:
        if not isinstance(given, dict):
            raise InvalidOptionError(f"{where} is a table")
        self.given = given
        self.where = where
        self._folder = folder

    def check_keys(self, known: tuple[str, ...]) -> None:
        """Check that the table has no other keys."""
        check_keys(self.given, known, f"{self.where} has no key")

    def read_text(self, key: str, default: str | None = None) -> str:
        """Return a text, which is not empty."""
        value = self.given.get(key, default)
        if value is None:
            raise InvalidOptionError(f"{self.where} has no {key}")
        if not isinstance(value, str) or not value:
            raise self._refuse(key, "text")
        return value

    def read_title(self, key: str) -> str:
        """Return an AE title."""
        title = self.read_text(key).strip()
        if not 0 < len(title) <= _LONGEST_TITLE or not title.isascii() or "\\" in title:
            raise self._refuse(key, f"an AE title has 1 to {_LONGEST_TITLE} characters of ASCII")
        return title

    def read_number(self, key: str, default: float | None, lowest: float, highest: float) -> float:
        """Return a number within bounds."""
        value = self.given.get(key, default)
        if value is None:
            raise InvalidOptionError(f"{self.where} has no {key}")
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not lowest <= value <= highest
        ):
            raise self._refuse(key, f"{lowest:g} to {highest:g}")
        return value

    def read_count(self, key: str, default: int | None, lowest: int, highest: int) -> int:
        """Return a whole number within bounds."""
        value = self.read_number(key, default, lowest, highest)
        if not isinstance(value, int):
            raise self._refuse(key, "a whole number")
        return value

    def read_flag(self, key: str) -> bool:
        """Return true or false; false if it is not given."""
        value = self.given.get(key, False)
        if not isinstance(value, bool):
            raise self._refuse(key, "true or false")
        return value

    def read_texts(self, key: str) -> tuple[str, ...]:
        """Return the texts of a list, or one; none if it is not given."""
        value = self.given.get(key, [])
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
            raise self._refuse(key, "a list of texts")
        return tuple(texts)

    def read_path(self, key: str, *, exists: bool = False) -> str:
        """Return an absolute path; a relative one is beside the configuration."""
        path = self._folder / self.read_text(key)
        if exists and not path.is_file():
            raise InvalidOptionError(f"{self.where}: {key}: there is no such file", path=str(path))
        return str(path)

    def read_tls(self, *, receives: bool) -> TlsOptions | None:
        """Return the files for TLS; None if there are none."""
        if "tls" not in self.given:
            return None
        table = ConfigTable(self.given["tls"], f"{self.where} tls", self._folder)
        table.check_keys(_TLS_KEYS)
        files = {
            key: table.read_path(key, exists=True)
            for key in ("cert", "key", "ca")
            if key in table.given
        }
        if receives or "cert" in files or "key" in files:
            for key in ("cert", "key"):
                table.read_text(key)
        name = table.read_text("name") if "name" in table.given else None
        return TlsOptions(**files, name=name)

    def _refuse(self, key: str, wanted: str) -> InvalidOptionError:
        return InvalidOptionError(f"{self.where}: {key} is {self.given.get(key)!r}; it is {wanted}")
