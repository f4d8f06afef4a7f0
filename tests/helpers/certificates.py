"""Certificates of an authority of one's own, as the tests of TLS need them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from helpers.installed import program

_EXTENSIONS = """subjectAltName=DNS:localhost,IP:127.0.0.1
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
"""
"""Key identifiers, and the usage of the authority's key, are what Python 3.13 asks for."""


def make_certificates(folder: Path) -> Path:
    """Put ca.pem into a folder, and server.pem and server.key that it vouches for; return it."""
    (folder / "extensions").write_text(_EXTENSIONS)
    vouching = "-CAkey ca.key -CAcreateserial -extfile extensions"
    key = "-newkey rsa:2048 -nodes"
    usage = "-addext keyUsage=critical,keyCertSign"
    for arguments in (
        f"req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=ca -days 2 {usage}",
        f"req {key} -keyout server.key -out server.csr -subj /CN=localhost",
        f"x509 -req -in server.csr -CA ca.pem {vouching} -out server.pem -days 2",
    ):
        subprocess.run(
            [program("openssl"), *arguments.split()], cwd=folder, check=True, capture_output=True
        )
    return folder
