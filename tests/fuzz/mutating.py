"""Bytes made of other bytes, by somebody who knows nothing of what they mean."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

BYTES_MAX = 96 * 1024
CHANGES = [1, 1, 1, 2, 2, 3, 6]  # at a time: who changes much is soon understood by nobody
NUMBERS = [
    *(b"0", b"1", b"9", b"-1", b"00", b"18446744073709551616", b"9223372036854775807"),
    *(b"9223372036854775808", b"999999999999999999", b"9" * 38, b"9" * 39, b"9" * 130, b"1e5"),
    *(b"0." + b"0" * 37 + b"1", b"0." + b"0" * 18 + b"1", b"1.", b".5", b"-0", b"1" + b"0" * 17),
]
ODD = [
    *(b"\x00", b"\xff", b"\xc3\xa9", b"\xc3", b"\xed\xa0\x80", b"\xf0\x9f\x90\xa2", b"\x7f"),
    *(b"\\", b'\\"', b"\\u0041", b"\\\\", b" ", b"\n", b"\t", b"\r", b'"', b"'", b"NaN", b"null"),
    *(b"{}", b"[]", b"},{", b"],[", b'","', b'":"', b"true", b"false", b"\x81\x7e", b"\x88\x02"),
]
_NUMBER = re.compile(rb"\d+")
_BETWEEN = re.compile(rb'(?<=[",:{\[])[^",:{}\[\]]+')
_LITERAL = re.compile(r"""b?(?:"((?:[^"\\\n]|\\.)+)"|'((?:[^'\\\n]|\\.)+)')""")


def words_of(sources: Sequence[Path]) -> list[bytes]:
    """What stands in quotes in sources, so that no word has to be guessed letter by letter."""
    found = {
        (one or other).replace('\\"', '"').replace("\\\\", "\\").encode()
        for source in sources
        for one, other in _LITERAL.findall(source.read_text())
        if len(one or other) <= 40
    }
    return sorted({*found, *NUMBERS, *ODD})


class Mutator:
    """Changes an input a few times over; what it takes in is of `words` and of other inputs."""

    def __init__(self, random: Random, words: Sequence[bytes]) -> None:
        self._random = random
        self._words = words
        self._ways: list[Callable[[bytes, Sequence[bytes]], bytes]] = [
            self._bit,
            self._byte,
            self._word,
            self._word,
            self._number,
            self._gone,
            self._twice,
            self._moved,
            self._cut,
            self._between,
            self._spliced,
            self._taken_in,
        ]

    def changed(self, some: Sequence[bytes], corpus: Sequence[bytes]) -> bytes:
        """One of some inputs, changed; what it takes in comes of all of the corpus."""
        data = self._random.choice(some)
        for _ in range(self._random.choice(CHANGES)):
            data = self._random.choice(self._ways)(data, corpus)
        return data[:BYTES_MAX]

    def _at(self, data: bytes) -> int:
        return self._random.randint(0, len(data))

    def _stretch(self, data: bytes) -> tuple[int, int]:
        """Nearly always a short one."""
        first = self._at(data)
        most = 2 ** self._random.randint(0, 12)
        return first, min(len(data), first + self._random.randint(0, most))

    def _bit(self, data: bytes, _: Sequence[bytes]) -> bytes:
        if not data:
            return data
        at = self._random.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 1 << self._random.randrange(8)]) + data[at + 1 :]

    def _byte(self, data: bytes, _: Sequence[bytes]) -> bytes:
        at = self._at(data)
        return data[:at] + self._random.randbytes(1) + data[at + self._random.randint(0, 1) :]

    def _word(self, data: bytes, _: Sequence[bytes]) -> bytes:
        at = self._at(data)
        gone = self._random.choice([0, 0, 1, 2, 5])
        return data[:at] + self._random.choice(self._words) + data[at + gone :]

    def _number(self, data: bytes, _: Sequence[bytes]) -> bytes:
        found = list(_NUMBER.finditer(data[:4_096]))
        if not found:
            return data
        first, end = self._random.choice(found).span()
        other = self._random.choice(NUMBERS)
        if self._random.random() < 0.5:
            other = b"%d" % max(0, int(data[first:end][:38]) + self._random.choice([-1, 1]))
        return data[:first] + other + data[end:]

    def _gone(self, data: bytes, _: Sequence[bytes]) -> bytes:
        first, end = self._stretch(data)
        return data[:first] + data[end:]

    def _twice(self, data: bytes, _: Sequence[bytes]) -> bytes:
        first, end = self._stretch(data)
        times = self._random.choice([1, 1, 1, 2, 9, 70])
        return data[:end] + (data[first:end] * times)[:BYTES_MAX] + data[end:]

    def _moved(self, data: bytes, _: Sequence[bytes]) -> bytes:
        first, end = self._stretch(data)
        part, rest = data[first:end], data[:first] + data[end:]
        at = self._at(rest)
        return rest[:at] + part + rest[at:]

    def _cut(self, data: bytes, _: Sequence[bytes]) -> bytes:
        """Whoever looks beyond the end does it here."""
        return data[: self._at(data)]

    def _between(self, data: bytes, corpus: Sequence[bytes]) -> bytes:
        """What stands between two marks is gone, or is what stands there elsewhere."""
        found = list(_BETWEEN.finditer(data[:4_096]))
        if not found:
            return data
        first, end = self._random.choice(found).span()
        others = [b"", *_BETWEEN.findall(self._random.choice(corpus)[:4_096])]
        return data[:first] + self._random.choice([b"", self._random.choice(others)]) + data[end:]

    def _spliced(self, data: bytes, corpus: Sequence[bytes]) -> bytes:
        """The front of one, the back of another, cut at about the same place."""
        other = self._random.choice(corpus)
        at = self._at(data)
        return data[:at] + other[max(0, at + self._random.randint(-8, 8)) :]

    def _taken_in(self, data: bytes, corpus: Sequence[bytes]) -> bytes:
        other = self._random.choice(corpus)
        first, end = self._stretch(other)
        at, gone = self._at(data), self._random.choice([0, end - first])
        return data[:at] + other[first:end] + data[at + gone :]
