"""Names of sources: objects (s3://BUCKET/KEY, gs://BUCKET/KEY, az://CONTAINER/KEY) and archives."""

from __future__ import annotations

from dicodec.errors import InvalidOptionError
from dicodec.model.records import dataclass

SCHEMES = ("s3", "gs", "az")


@dataclass(frozen=True, slots=True)
class ObjectUrl:
    """The name of an object, or of all objects whose keys begin with a prefix.

    Attributes:
        scheme: one of SCHEMES.
        bucket: the bucket; of Azure, the container.
        key: of the object; a prefix if it is empty or ends in "/".
    """

    scheme: str
    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}"

    @property
    def is_prefix(self) -> bool:
        """Whether the URL names many objects, as a folder does."""
        return not self.key or self.key.endswith("/")

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rstrip("/").rpartition("/")[2]


def is_object_url(name: object) -> bool:
    """Return whether a name has the form of an object's URL; it may still be wrong."""
    return isinstance(name, str) and "://" in name and name.partition("://")[0].lower() in SCHEMES


def parse_object_url(name: str) -> ObjectUrl:
    """Return the parts of an object's name.

    Raises:
        InvalidOptionError: the bucket is missing, or no store takes the key.
    """
    scheme, _, rest = name.partition("://")
    bucket, _, key = rest.partition("/")
    if not bucket or set(bucket) & set("@?#%:\\ "):
        raise InvalidOptionError(
            f"{name!r} names no bucket",
            hint="such as s3://bucket/key; credentials come from the environment",
        )
    parts = key.removesuffix("/").split("/")
    if key and ("" in parts or {".", ".."} & set(parts)):
        raise InvalidOptionError(f"{name!r} has a part that is empty, . or ..")
    return ObjectUrl(scheme.lower(), bucket, key)


ARCHIVE_SUFFIXES = (
    ".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst",
)  # fmt: skip


def is_archive(path: str) -> bool:
    """Return whether a source's name is that of an archive."""
    return path.lower().endswith(ARCHIVE_SUFFIXES)
