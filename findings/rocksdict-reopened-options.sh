#!/usr/bin/env bash
# A store of rocksdict that is opened with a bloom filter, closed, and opened again with options that
# have a bloom filter, too, and another size of the write buffer.
#
# rocksdict 0.3.29 (RocksDB): the second time the filter is gone, without a word. Opening a store that
# is there, rocksdict reads the options of its column families from the store's own OPTIONS file, and
# these count instead of the ones given; but of an object such as a filter that file has a name alone,
# from which none is made again. What is said of the store as a whole (`max_open_files`, here) is taken
# as given. Where the options are given once more under `column_families={"default": options}`, they
# count.
# Seen, as the store's newest OPTIONS file has it:
#   first time: filter_policy=bloomfilter, write_buffer_size=2097152, max_open_files=32
#   opened again: filter_policy=nullptr, write_buffer_size=2097152, max_open_files=64
#   with column_families: filter_policy=bloomfilter, write_buffer_size=4194304, max_open_files=64
# Needs bash and Python from 3.11 on.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check rocksdict==0.3.29

cat >reopened.py <<'PY'
import pathlib
import re

import rocksdict


def options(write_buffer: int, open_files: int) -> rocksdict.Options:
    found = rocksdict.Options(raw_mode=True)
    found.create_if_missing(True)
    found.set_write_buffer_size(write_buffer)
    found.set_max_open_files(open_files)
    table = rocksdict.BlockBasedOptions()
    table.set_bloom_filter(10, block_based=False)
    found.set_block_based_table_factory(table)
    return found


def newest() -> dict[str, str]:
    files = sorted(pathlib.Path("store").glob("OPTIONS-*"), key=lambda one: one.name)
    text = files[-1].read_text()
    names = ("filter_policy", "write_buffer_size", "max_open_files")
    return {name: re.search(rf"^\s*{name}=(.*)$", text, re.M)[1] for name in names}


for number, (when, given, more) in enumerate(
    (
        ("first time", options(2 << 20, 32), False),
        ("opened again", options(4 << 20, 64), False),
        ("with column_families", options(4 << 20, 64), True),
    )
):
    families = {"column_families": {"default": given}} if more else {}
    store = rocksdict.Rdict("store", options=given, **families)
    store[b"key"] = b"%d" % number
    store.close()
    print(f"{when}:", ", ".join(f"{name}={text}" for name, text in newest().items()))
PY
env/bin/python reopened.py | tee seen
cat >wanted <<'END'
first time: filter_policy=bloomfilter, write_buffer_size=2097152, max_open_files=32
opened again: filter_policy=nullptr, write_buffer_size=2097152, max_open_files=64
with column_families: filter_policy=bloomfilter, write_buffer_size=4194304, max_open_files=64
END
diff wanted seen
