"""Keys of Ed25519 (RFC 8032) in files, and signatures of manifests with them."""

from __future__ import annotations

import os
from contextlib import ExitStack

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from dicodec.conversion.output.write_errors import translate_write_errors
from dicodec.errors import InvalidOptionError, TargetExistsError, WriteError
from dicodec.model.settings_files import read_settings

_PREFIX = b"dicodec-manifest 1\n"
"""What is signed begins with this, so that no signature of anything else is one of a manifest."""


class Signer:
    """Signs manifests.

    Args:
        path: file of the private key, in PEM (PKCS #8), without a password.

    Raises:
        InvalidOptionError: there is no such key.
    """

    def __init__(self, path: str) -> None:
        try:
            key = load_pem_private_key(read_settings(path), None)
        except OSError as cause:
            raise InvalidOptionError(
                f"the key cannot be read: {cause.strerror}",
                path=path,
                hint="`dicodec audit --make-key FILE` makes one",
            ) from cause
        except (ValueError, TypeError) as cause:
            raise _make_key_error("private", path) from cause
        if not isinstance(key, Ed25519PrivateKey):
            raise _make_key_error("private", path)
        self._key = key

    @property
    def public_key(self) -> str:
        """The public key, in hexadecimal."""
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, digest: bytes) -> str:
        """Return the signature of a manifest's SHA-256, in hexadecimal."""
        return self._key.sign(_PREFIX + digest).hex()


def is_signed(digest: bytes, signature: str, public_key: str) -> bool:
    """Whether a signature is that of a manifest's SHA-256 by a key; both in hexadecimal."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(signature), _PREFIX + digest)
    except (ValueError, InvalidSignature):
        return False
    return True


def read_public_key(path: str) -> str:
    """Return the public key in a file, in hexadecimal.

    Raises:
        InvalidOptionError: there is none.
    """
    try:
        key = load_pem_public_key(read_settings(path))
    except OSError as cause:
        raise InvalidOptionError(f"the key cannot be read: {cause.strerror}", path=path) from cause
    except ValueError as cause:
        raise _make_key_error("public", path) from cause
    if not isinstance(key, Ed25519PublicKey):
        raise _make_key_error("public", path)
    return key.public_bytes_raw().hex()


def make_key(path: str) -> str:
    """Make a key: the private one at a path, which only its owner may read, the public one beside.

    Returns:
        The path of the public key.

    Raises:
        TargetExistsError: one of them is there.
        WriteError: they cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with ExitStack() as made:  # both or none: a public key beside another private one is false
        for place, content, mode in ((f"{path}.pub", public, 0o644), (path, private, 0o600)):
            try:
                with translate_write_errors():
                    _write_new_file(place, content, mode, made)
            except WriteError as error:
                error.with_location(path=place)
                raise
        made.pop_all()
    return f"{path}.pub"


def _write_new_file(path: str, content: bytes, mode: int, made: ExitStack) -> None:
    """Write a file that is not there, to be removed with the stack."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise TargetExistsError("a key is there already, and is not replaced") from error
    made.callback(os.unlink, path)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - it is open
        file.write(content)


def _make_key_error(kind: str, path: str) -> InvalidOptionError:
    return InvalidOptionError(
        f"the file has no {kind} key of Ed25519 without a password",
        path=path,
        hint="`dicodec audit --make-key FILE` makes one",
    )
