"""The raw records of a seed: sound ones, late ones and poison, in random order. Pure.

Part of the oracle: nothing here is shared with what is judged.
"""

import json
import random
from collections.abc import Iterator

ACCOUNTS = 60
GROUPS = 5
POISON_SHARE = 0.05
LATE_SHARE = 0.1
DIGITS_MAX = 40

_POISON = (
    None,
    b"",
    b"\xff\xfe\x00",
    b'{"sequence":1,"amount":"1',
    b'{"sequence":1,"amount":"1_000","group":"g0"}',
    b'{"sequence":1,"amount":7,"group":"g0"}',
    b'{"sequence":"1","amount":"7","group":"g0"}',
    b'{"sequence":1,"amount":"7"}',
)


def raw_records(seed: int) -> Iterator[tuple[bytes, bytes | None]]:
    """Keys and values without end, the same for the same seed."""
    chance = random.Random(f"market {seed}")
    sequences = [0] * ACCOUNTS
    while True:
        account = min(int(chance.expovariate(3.0) * ACCOUNTS / 2), ACCOUNTS - 1)
        key = f"a{account:03d}".encode()
        kind = chance.random()
        if kind < POISON_SHARE:
            yield key, chance.choice(_POISON)
            continue
        if kind < POISON_SHARE + LATE_SHARE:
            sequence = chance.randint(0, sequences[account])
        else:
            sequences[account] += chance.choice((1, 1, 1, 2, 7))
            sequence = sequences[account]
        digits = chance.randint(1, DIGITS_MAX)
        amount = chance.randrange(10**digits) * chance.choice((1, 1, -1))
        document = {"sequence": sequence, "amount": str(amount), "group": f"g{account % GROUPS}"}
        yield key, json.dumps(document).encode()
