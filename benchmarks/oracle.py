"""What must come out, worked out by the product's pure functions, and whether it did.

Documents are compared as values: two JSON texts that say the same are the same. Headers count.
"""

from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from benchmarks.cluster import Cluster
from benchmarks.job import Options, Out, exposure, folded, normalised_in_python, raw_of
from schemas.topics import BALANCES, DEAD_LETTERS, EXPOSURE_USER

if TYPE_CHECKING:
    from processors.ledger.users import UserState

_sorted: Final = msgspec.json.Encoder(order="sorted")
_TOLD_MAX: Final = 3


class Expected(NamedTuple):
    """By identity: the digests of snapshots, dead letters' reasons, exposures by user and version.

    `versions` is how many changes there are in all, the measure of how far a contender is.
    """

    balances: dict[str, bytes]
    dead_letters: dict[tuple[str, str, str], str]
    exposures: dict[tuple[str, int], bytes]
    last: dict[str, int]

    @property
    def versions(self) -> int:
        """Accepted changes over all users."""
        return sum(self.last.values())


class Difference(Exception):
    """A contender's outputs are not those that must come out."""


def expected(cluster: Cluster, *raws: str) -> Expected:
    """Read the raw topics and work out everything that follows from them."""
    result = Expected({}, {}, {}, {})
    states: dict[str, UserState] = {}
    for message in chain.from_iterable(map(cluster.read, raws)):
        out = normalised_in_python(raw_of(message))
        headers = dict(out.headers)
        if out.topic == DEAD_LETTERS:
            identity, reason = _dead_letter(headers)
            result.dead_letters[identity] = reason
            continue
        result.balances[headers["ce_id"].decode()] = _digest(out, "")
        user = (out.key or b"").decode()
        after = folded(states.get(user), out.value or b"")
        if after is None:
            continue
        state, time = after
        states[user] = state
        result.last[user] = state.version
        result.exposures[user, state.version] = _digest(exposure(state, time, ""), "")
    return result


def compare(
    cluster: Cluster, options: Options, wanted: Expected, *, whole: bool, once: bool
) -> dict[str, int]:
    """Compare all outputs of a run; raises `Difference`.

    `whole`: everything must be there (a slow contender may be stopped early); `once`: nothing may
    be there twice, as exactly once promises. Answers how many records there were, and repeated.
    """
    counts = {
        "balances": _compare_balances(cluster, options, wanted, whole=whole, once=once),
        "dead_letters": _compare_dead_letters(cluster, options, wanted, whole=whole, once=once),
        "exposures": _compare_exposures(cluster, options, wanted, whole=whole),
    }
    repeated = counts["balances"] + counts["dead_letters"]
    repeated -= len(wanted.balances) + len(wanted.dead_letters)
    return {**counts, "repeated": repeated if whole else 0}


def _compare_balances(
    cluster: Cluster, options: Options, wanted: Expected, *, whole: bool, once: bool
) -> int:
    found: dict[str, bytes] = {}
    count = 0
    for message in cluster.read(options.topic(BALANCES)):
        out, count = _out_of(message), count + 1
        found[dict(out.headers)["ce_id"].decode()] = _digest(out, options.prefix)
    _same("balances.v1", found, wanted.balances, whole=whole)
    if once and count != len(found):
        message = f"balances.v1: {count - len(found)} snapshots are there twice"
        raise Difference(message)
    return count


def _compare_dead_letters(
    cluster: Cluster, options: Options, wanted: Expected, *, whole: bool, once: bool
) -> int:
    told = [_dead_letter(dict(m.headers())) for m in cluster.read(options.topic(DEAD_LETTERS))]
    found = dict(told)
    _same("deadletters.v1", found, wanted.dead_letters, whole=whole)
    if once and len(told) != len(found):
        raise Difference("deadletters.v1: dead letters are there twice")
    return len(told)


def _compare_exposures(cluster: Cluster, options: Options, wanted: Expected, *, whole: bool) -> int:
    last: dict[str, int] = {}
    count = 0
    for message in cluster.read(options.topic(EXPOSURE_USER)):
        out, count = _out_of(message), count + 1
        version = msgspec.json.decode(out.value or b"null")["version"]
        user = (out.key or b"").decode()
        last[user] = version
        if wanted.exposures.get((user, version)) != _digest(out, options.prefix):
            text = f"exposure.user.v1: {user} at version {version} differs: {out.value!r}"
            raise Difference(text)
    if whole:
        _same("exposure.user.v1", last, wanted.last, whole=True)
    return count


def _same(name: str, found: dict[Any, Any], wanted: dict[Any, Any], *, whole: bool) -> None:
    missing = [key for key in wanted if key not in found] if whole else []
    wrong = [key for key in found if wanted.get(key) != found[key]]
    if missing or wrong:
        text = (
            f"{name}: {len(missing)} missing {missing[:_TOLD_MAX]}, "
            f"{len(wrong)} different {wrong[:_TOLD_MAX]}"
        )
        raise Difference(text)


def _out_of(message: Any) -> Out:
    return Out(message.topic(), message.key(), message.value(), message.headers() or [])


def _dead_letter(headers: dict[str, bytes]) -> tuple[tuple[str, str, str], str]:
    place = [headers[f"__connect.errors.{part}"].decode() for part in _PLACE]
    return (place[0], place[1], place[2]), headers["headroom.reason"].decode()


_PLACE: Final = ("topic", "partition", "offset")


def _digest(out: Out, prefix: str) -> bytes:
    headers = sorted(
        (name, value.removeprefix(prefix.encode()) if name == "ce_id" else value)
        for name, value in out.headers
    )
    value = _sorted.encode(msgspec.json.decode(out.value)) if out.value else b""
    return blake2b(repr((out.key, value, headers)).encode(), digest_size=16).digest()
