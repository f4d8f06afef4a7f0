#!/usr/bin/env bash
# Fetch Apache Kafka's jars into the folder $1, where java and mvn are; else say what is missing. Once
# they are there nothing is fetched again, until pom.xml or jars.sha256 changes. Tests that need them
# are skipped without them, so this never fails. `fetch.sh FOLDER pin` writes jars.sha256 anew.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
target=$1
[[ $target = /* ]] || target=$PWD/$target  # mvn takes paths from where pom.xml is
pin=${2:-}
if [ -z "$pin" ] && cmp --silent "$here/pom.xml" "$target/pom.xml" &&
    cmp --silent "$here/jars.sha256" "$target/jars.sha256"; then
    exit 0
fi

give_up() {
    echo "not installed, what needs it is left out: Apache Kafka ($1)" >&2
    exit 0
}
command -v java >/dev/null || give_up "no java"
command -v mvn >/dev/null || give_up "no mvn"

# Java asks the locale how names of files are written.
export LC_ALL=C.UTF-8
export MAVEN_OPTS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC ${MAVEN_OPTS:-}"

part="$target.part"
rm -rf "$part"
trap 'rm -rf "$part"' EXIT
fetch() {
    mvn --quiet --batch-mode "$@" --file "$here/pom.xml" -Dmaven.artifact.threads=16 \
        dependency:copy-dependencies -DoutputDirectory="$part" >/dev/null 2>&1
}
echo "fetching Apache Kafka, which the tests need"
fetch --offline || fetch || give_up "mvn cannot fetch it"
[ -z "$pin" ] || (cd "$part" && sha256sum -- *.jar) >"$here/jars.sha256"
(cd "$part" && sha256sum --check --strict --status "$here/jars.sha256" &&
    [ "$(wc -l <"$here/jars.sha256")" -eq "$(ls | wc -l)" ]) ||
    give_up "its jars are not those of jars.sha256"
java -XX:TieredStopAtLevel=1 -cp "$part/*" kafka.Kafka --version >/dev/null 2>&1 ||
    give_up "it does not run with this java"
cp "$here/pom.xml" "$here/jars.sha256" "$part"
rm -rf "$target"
mv "$part" "$target"
