"""Who takes gzip, as clients say it."""

import pytest

from processors.http.encodings import takes_gzip


@pytest.mark.parametrize(
    ("said", "takes"),
    [
        ("gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("br;q=1.0, GZIP; q=0.8", True),
        ("*", True),
        ("*;q=0, gzip;q=0.001", True),
        ("x-gzip", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("deflate, br", False),
        ("*;q=0", False),
        ("br\ngzip", True),
        ("br\nidentity", False),
    ],
)
def test_who_takes_gzip(said: str, takes: bool) -> None:  # noqa: FBT001 - a row of a table
    assert takes_gzip(said.split("\n")) is takes
