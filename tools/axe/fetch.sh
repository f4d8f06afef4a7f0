#!/usr/bin/env bash
# Fetch axe-core, which examines the page for barriers, into the folder $1, where npm is; else say what
# is missing. Its digest is in package-lock.json. Once it is there nothing is fetched again, until that
# file changes. Tests that need it are skipped without it, so this never fails.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
target=$1
if cmp --silent "$here/package-lock.json" "$target/package-lock.json"; then
    exit 0
fi

give_up() {
    echo "not installed, what needs it is left out: axe-core ($1)" >&2
    exit 0
}
command -v npm >/dev/null || give_up "no npm"

part="$target.part"
rm -rf "$part"
trap 'rm -rf "$part"' EXIT
mkdir -p "$part"
cp "$here/package.json" "$here/package-lock.json" "$part"
echo "fetching axe-core, which the tests need"
(cd "$part" && npm ci --ignore-scripts --no-audit --no-fund --silent >/dev/null 2>&1) ||
    give_up "npm cannot fetch it"
rm -rf "$target"
mv "$part" "$target"
