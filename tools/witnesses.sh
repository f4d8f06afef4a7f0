#!/usr/bin/env bash
# Install the programs that the tests read results with, brokers and a browser, where that is
# possible; else say what is missing. Tests that need a missing program are skipped, so this never fails.
# `witnesses.sh compiler` installs what the kernels are compiled with instead: they have to be there
# before the package is set up.
set -uo pipefail

PATH=$PATH:/usr/sbin:/usr/local/sbin  # where servers are, which not everybody has in PATH

# Virtual environments hold a gdcmconv of their own, which is another program.
installed() {
    type -aP "$1" | grep -qv "/\.venv/\|^${VIRTUAL_ENV:-/nowhere}/"
}

# Debian has its programs in a folder for each version.
has_postgres() {
    compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || { installed initdb && installed postgres; }
}

compiles() {
    echo '#include <stdint.h>' | cc -c -x c -o /dev/null - 2>/dev/null
}

# Print a line for each missing thing: the package of it, and how to tell a person.
missing() {
    if [ "$1" = compiler ]; then
        compiles || printf '%s\n' "gcc" "libc6-dev"
        return
    fi
    installed dcmdjpeg || echo "dcmtk (dcmdjpeg, dcmdjpls, dcmdrle, dcmconv)"
    installed gdcmconv || echo "libgdcm-tools (gdcmconv)"
    installed redis-server || echo "redis-server"
    installed nats-server || echo "nats-server"
    installed chromium || echo "chromium"
    installed Orthanc || echo "orthanc"
    [ -e /usr/share/orthanc/plugins/libOrthancDicomWeb.so ] || echo "orthanc-dicomweb"
    [ -e /usr/share/orthanc/plugins/libOrthancPython.so ] || echo "orthanc-python"
    [ -e /usr/include/orthanc/OrthancCPlugin.h ] || echo "orthanc-dev"
    has_postgres || echo "postgresql"
    installed java || echo "default-jre-headless (java)"
    installed promtool || echo "prometheus (promtool)"
    installed zsh || echo "zsh"
    installed fish || echo "fish"
    installed mvn || echo "maven (mvn)"
    [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || echo "rabbitmq-server"
}

what=${1:-witnesses}
mapfile -t packages < <(missing "$what" | cut -d' ' -f1)
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

missing "$what" | while read -r name; do
    echo "not installed, what needs it is left out: $name" >&2
done
exit 0
