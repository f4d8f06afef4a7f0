#!/usr/bin/env bash
# Make the virtual environment $1 with a Python that is new enough; leave a working one as it is.
# With a second argument, such as 3.13, it has to be of that version.
set -euo pipefail

target=$1
wanted=${2:-}
oldest="3.12"

# Whether the Python $1 runs, is of the right version, and has the modules $2.
fits() {
    "$1" -c "
import sys, $2
version = '%d.%d' % sys.version_info[:2]
old = sys.version_info < tuple(map(int, '$oldest'.split('.')))
sys.exit(old or '$wanted' not in ('', version))" >/dev/null 2>&1
}

# The oldest version comes first: it is the one that the locks were made with.
candidates() {
    local pyenv_root=${PYENV_ROOT:-${HOME:-/nowhere}/.pyenv}
    printf '%s\n' python3.12 "$pyenv_root"/versions/3.12*/bin/python3.12 \
        python3.13 "$pyenv_root"/versions/3.13*/bin/python3.13 python3.14 python3
}

if fits "$target/bin/python" pip; then
    exit 0
fi

while read -r python; do
    if fits "$python" "venv, ensurepip"; then  # Debian splits ensurepip off
        echo "using $("$python" --version) ($(command -v "$python"))"
        rm -rf "$target"
        "$python" -m venv "$target"
        exit 0
    fi
done < <(candidates)

if command -v uv >/dev/null; then
    rm -rf "$target"
    uv venv --quiet --seed --python "${wanted:-$oldest}" "$target"
    exit 0
fi

cat >&2 <<MESSAGE
No Python ${wanted:-$oldest or newer} that can make virtual environments was found.
Any of these helps:
  - a distribution's package, such as python${wanted:-$oldest} and python${wanted:-$oldest}-venv
  - pyenv: pyenv install ${wanted:-$oldest}
  - uv: it brings a Python of its own
MESSAGE
exit 1
