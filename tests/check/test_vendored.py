"""What others wrote for browsers is what they released, byte for byte, with their licences."""

import hashlib
from pathlib import Path

import pytest

VENDOR = Path(__file__).parents[2] / "processors/http/page/static/vendor"
SUMS = {
    name: digest
    for digest, name in map(str.split, (VENDOR / "SHA256SUMS").read_text("ascii").splitlines())
}


@pytest.mark.parametrize("name", sorted(SUMS))
def test_a_file_is_the_released_one(name: str) -> None:
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == SUMS[name]


def test_nothing_lies_there_without_a_sum_and_a_licence() -> None:
    names = {path.name for path in VENDOR.iterdir()} - {"SHA256SUMS"}
    assert names == set(SUMS)
    for name in names:
        assert f"{name.partition('.')[0]}.LICENSE" in names
