#!/usr/bin/env bash
# One instant with nine decimals, as RFC 3339 allows, read into a `datetime` by three readers.
#
# msgspec 0.22.0 rounds to the nearest microsecond, so that an instant may be read as a later one: the
# last 500 ns of a year are the next year's. Python's own `fromisoformat` (3.11 and later) and
# pydantic 2.14.4 cut. Two services that read one event put it into different days, and an order by
# time becomes a tie in the one and not in the other.
# Seen:
#   2025-12-31T23:59:59.999999600Z
#     msgspec   2026-01-01T00:00:00+00:00
#     pydantic  2025-12-31T23:59:59.999999+00:00
#     stdlib    2025-12-31T23:59:59.999999+00:00
# Needs bash and Python from 3.11 on.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check msgspec==0.22.0 pydantic==2.14.4

cat >read.py <<'PY'
from datetime import datetime

import msgspec
import pydantic

pydantic_time = pydantic.TypeAdapter(datetime)
READERS = {
    "msgspec": lambda text: msgspec.json.decode(f'"{text}"', type=datetime),
    "pydantic": lambda text: pydantic_time.validate_json(f'"{text}"'),
    "stdlib": datetime.fromisoformat,
}
NEW_YEAR, CUT = "2026-01-01T00:00:00+00:00", "2025-12-31T23:59:59.999999+00:00"
EXPECTED = {
    "2025-12-31T23:59:59.999999400Z": (CUT, CUT, CUT),
    "2025-12-31T23:59:59.999999600Z": (NEW_YEAR, CUT, CUT),
}
for text, expected in EXPECTED.items():
    print(text)
    seen = tuple(read(text).isoformat() for read in READERS.values())
    for name, moment in zip(READERS, seen, strict=True):
        print(f"  {name:8}  {moment}")
    assert seen == expected
print("as found: msgspec 0.22.0, pydantic 2.14.4")
PY
timeout 60 env/bin/python read.py
