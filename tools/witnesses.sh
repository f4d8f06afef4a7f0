#!/usr/bin/env bash
# Install the programs that the tests read results with, where that is possible; else say what is
# missing. Tests that need a missing program are skipped, so this never fails.
set -uo pipefail

# Virtual environments hold a gdcmconv of their own, which is another program.
installed() {
    type -aP "$1" | grep -qv "/\.venv/\|^${VIRTUAL_ENV:-/nowhere}/"
}

packages=()
installed dcmdjpeg || packages+=(dcmtk)
installed gdcmconv || packages+=(libgdcm-tools)
[ ${#packages[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if sudo -n true 2>/dev/null; then as_root=(sudo -n); else as_root=(false); fi
fi

install() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --quiet --no-install-recommends "${packages[@]}" >/dev/null 2>&1
}

if command -v apt-get >/dev/null && [ "${as_root[0]:-}" != false ]; then
    echo "installing ${packages[*]}, which the tests read results with"
    install || { "${as_root[@]}" apt-get update --quiet >/dev/null 2>&1; install; }
fi

missing=()
installed dcmdjpeg || missing+=("dcmtk (dcmdjpeg, dcmdjpls, dcmdrle, dcmconv)")
installed gdcmconv || missing+=("libgdcm-tools (gdcmconv)")
for name in "${missing[@]}"; do
    echo "not installed, tests that need it are skipped: $name" >&2
done
exit 0
