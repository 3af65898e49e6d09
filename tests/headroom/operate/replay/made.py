"""A generation as the tests of pure parts want it."""

from headroom.operate.generations.kind import Generation

RAW = "raw.sfox.balances.v1"


def generation(**changed: object) -> Generation:
    fields: dict[str, object] = {
        "name": "g",
        "made_ns": 1,
        "code": "0",
        "state": "complete",
        "accounts": {"sfox": None, "hercle": None},
        "starts": {RAW: [10], "raw.hercle.balances.v1": [0]},
        "ends": {RAW: [20], "raw.hercle.balances.v1": [5]},
    }
    return Generation(**{**fields, **changed})  # type: ignore[arg-type]
