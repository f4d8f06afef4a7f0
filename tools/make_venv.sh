#!/usr/bin/env bash
# Make the virtual environment $1 with a Python that is new enough; leave a working one as it is.
set -euo pipefail

target=$1
oldest="3.12"

# A Python counts if it runs, is new enough, and can make environments (Debian splits that off).
serves() {
    "$1" -c "
import sys, venv, ensurepip
sys.exit(sys.version_info < tuple(map(int, '$oldest'.split('.'))))" >/dev/null 2>&1
}

works() {
    "$1/bin/python" -c "
import sys, pip
sys.exit(sys.version_info < tuple(map(int, '$oldest'.split('.'))))" >/dev/null 2>&1
}

# The oldest version comes first: it is the one that the locks were made with.
candidates() {
    local pyenv_root=${PYENV_ROOT:-$HOME/.pyenv}
    printf '%s\n' python3.12 "$pyenv_root"/versions/3.12*/bin/python3.12 \
        python3.13 "$pyenv_root"/versions/3.13*/bin/python3.13 python3.14 python3
}

if works "$target"; then
    exit 0
fi
rm -rf "$target"

while read -r python; do
    if serves "$python"; then
        echo "using $("$python" --version) ($(command -v "$python"))"
        "$python" -m venv "$target"
        exit 0
    fi
done < <(candidates)

if command -v uv >/dev/null; then
    uv venv --quiet --seed --python "$oldest" "$target"
    exit 0
fi

cat >&2 <<MESSAGE
No Python $oldest or newer that can make virtual environments was found.
Any of these helps:
  - a distribution's package, such as python3.12 and python3.12-venv
  - pyenv: pyenv install $oldest
  - uv: it brings a Python of its own
MESSAGE
exit 1
