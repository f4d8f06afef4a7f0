#!/usr/bin/env bash
# Fetch Cornerstone3D and bundle it with viewer.js into the folder $1, where npm is; else say what is
# missing. Once it is there nothing is fetched again, until a file beside this one changes. Tests that
# need it are skipped without it, so this never fails. `fetch.sh FOLDER pin` writes package-lock.json
# anew: names, versions and digests, no addresses, because where packages come from is the machine's
# own configuration.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
target=$1
[[ $target = /* ]] || target=$PWD/$target
state=$(cat "$here"/{package.json,package-lock.json,viewer.js,fetch.sh} 2>/dev/null | sha256sum)
if [ "${2:-}" != pin ] && [ "$state" = "$(cat "$target/state" 2>/dev/null)" ]; then
    exit 0
fi

give_up() {
    echo "not installed, what needs it is left out: Cornerstone3D ($1)" >&2
    exit 0
}
command -v npm >/dev/null || give_up "no npm"
command -v node >/dev/null || give_up "no node"

part="$target.part"
rm -rf "$part"
mkdir -p "$part/files"
trap 'rm -rf "$part"' EXIT
cp "$here"/{package.json,viewer.js} "$part"
options=(--ignore-scripts --no-audit --no-fund --silent --omit-lockfile-registry-resolved)
echo "fetching Cornerstone3D, which the tests need"
cd "$part" || give_up "no folder"
if [ "${2:-}" = pin ]; then
    npm install "${options[@]}" || give_up "npm cannot fetch it"
    cp package-lock.json "$here"
    exit 0
fi
cp "$here/package-lock.json" .
npm ci "${options[@]}" || give_up "npm cannot fetch it"

# What reads and writes XML has no use here, and wants modules of Node.js.
echo 'export const create = () => {}, convert = create;' >nothing.js
bundle() {
    node_modules/.bin/esbuild "$1" --bundle --format=esm --outfile="files/$2" --log-level=error --minify \
        --define:global=globalThis --external:{fs,path,crypto} --alias:xmlbuilder2=./nothing.js
}
loader=node_modules/@cornerstonejs/dicom-image-loader/dist/esm
bundle viewer.js viewer.js || give_up "it cannot be bundled"
bundle $loader/decodeImageFrameWorker.js decodeImageFrameWorker.js || give_up "it cannot be bundled"
cp node_modules/@cornerstonejs/codec-*/dist/*.wasm files
cat >files/index.html <<'END'
<!doctype html><meta charset="utf-8"><title>viewer</title><link rel="icon" href="data:,">
<body><script type="module" src="viewer.js"></script>
END
echo "$state" >files/state
rm -rf "$target"
mv files "$target"
