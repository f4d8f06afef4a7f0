#!/usr/bin/env bash
# Install the programs that the tests read results with, brokers and a browser, where that is
# possible; else say what is missing. Tests that need a missing program are skipped, so this never fails.
set -uo pipefail

PATH=$PATH:/usr/sbin:/usr/local/sbin  # where servers are, which not everybody has in PATH

# Virtual environments hold a gdcmconv of their own, which is another program.
installed() {
    type -aP "$1" | grep -qv "/\.venv/\|^${VIRTUAL_ENV:-/nowhere}/"
}

packages=()
installed dcmdjpeg || packages+=(dcmtk)
installed gdcmconv || packages+=(libgdcm-tools)
installed redis-server || packages+=(redis-server)
installed nats-server || packages+=(nats-server)
installed chromium || packages+=(chromium)
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || packages+=(rabbitmq-server)
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
    echo "installing ${packages[*]}, which the tests need"
    install || { "${as_root[@]}" apt-get update --quiet >/dev/null 2>&1; install; }
fi

missing=()
installed dcmdjpeg || missing+=("dcmtk (dcmdjpeg, dcmdjpls, dcmdrle, dcmconv)")
installed gdcmconv || missing+=("libgdcm-tools (gdcmconv)")
installed redis-server || missing+=("redis-server")
installed nats-server || missing+=("nats-server")
installed chromium || missing+=("chromium")
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || missing+=("rabbitmq-server")
for name in "${missing[@]}"; do
    echo "not installed, what needs it is left out: $name" >&2
done
exit 0
