"""The part `normalise`: what one frame costs, of either venue, with as many amounts in it.

A frame of sFOX is told in the fewest assets that hold the amounts, so it names as little as it can.
All outputs are compared with those of the Python normalisers first. No broker takes part.
"""

import argparse
import time
from collections.abc import Callable
from random import Random
from statistics import median
from typing import Any, Final

from benchmarks.dataset import headers_of
from benchmarks.frames import (
    AMOUNTS_OF_ACCOUNT,
    AMOUNTS_OF_ITEM,
    AMOUNTS_OF_UPDATE_MAX,
    AMOUNTS_OF_UPDATE_MIN,
    EPOCH,
    PLACES,
    hercle_frame,
    sfox_frame,
)
from benchmarks.job import Raw, normalised, normalised_in_python, venue_of
from benchmarks.oracle import Difference
from processors import compiled
from processors.normalise import tell
from schemas.venues import VENUES

ASSETS: Final = (1, 3, 10)
"""How many assets a frame of Hercle has."""
FORMS: Final = ("sfox", "hercle as an object", "hercle as a text")
_FRAMES: Final = 200
_NS_PER_MS: Final = 1_000_000


def normalise(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every form in every size, in rounds of short turns, forwards and backwards."""
    results = []
    for assets in ASSETS:
        records = {form: records_of(form, assets, options.seed) for form in FORMS}
        for same in records.values():
            compare(same)
        for number in range(options.rounds):
            taken = _round(records, options.turns)
            for form, microseconds in taken.items():
                sizes = [len(raw.value or b"") for raw in records[form]]
                results.append(
                    {
                        "round": number + 1,
                        "form": form,
                        "assets": assets,
                        "amounts": amounts_of(assets),
                        "bytes": sum(sizes) / len(sizes),
                        "us": microseconds,
                        "compiled": compiled.IS_COMPILED,
                    }
                )
    return results


def amounts_of(assets: int) -> int:
    """How many amounts a frame of Hercle with so many assets has."""
    return AMOUNTS_OF_ITEM * assets + AMOUNTS_OF_ACCOUNT


def records_of(form: str, assets: int, seed: int) -> list[Raw]:
    """Raw records with as many amounts each as a frame of Hercle with so many assets has."""
    random = Random(seed)
    venue, _, how = form.partition(" as ")
    if venue == "sfox":
        write = _sfox_writer(amounts_of(assets))
    else:
        names = tuple(PLACES)[:assets]
        as_text = how == "a text"

        def write(account: str, number: int, random: Random) -> str:
            return hercle_frame(account, number, random, names, as_text=as_text)

    topic = VENUES[venue].raw_topic
    return [
        Raw(
            *(topic, 0, number, EPOCH // _NS_PER_MS),
            key=None,
            value=write(f"user-{random.randrange(10**6):06}", number, random).encode(),
            headers=headers_of(venue, number),
        )
        for number in range(1, _FRAMES + 1)
    ]


def _sfox_writer(amounts: int) -> Callable[[str, int, Random], str]:
    """Writes frames of sFOX with so many amounts; they must fit evenly into whole assets."""
    assets = -(-amounts // AMOUNTS_OF_UPDATE_MAX)
    each, rest = divmod(amounts, assets)
    if rest or each < AMOUNTS_OF_UPDATE_MIN:
        message = f"{amounts} amounts are no whole number for each of {assets} assets"
        raise ValueError(message)
    names = tuple(PLACES)[:assets]
    wallets = each - AMOUNTS_OF_UPDATE_MIN
    return lambda account, number, random: sfox_frame(account, number, random, names, wallets)


def compare(records: list[Raw]) -> None:
    """Raises `Difference` where the product says something else than its Python normaliser."""
    for raw in records:
        if normalised(raw) != normalised_in_python(raw):
            message = f"{raw.topic}: {raw.value!r} is told in another way"
            raise Difference(message)


def _round(records: dict[str, list[Raw]], turns: int) -> dict[str, float]:
    """Microseconds for one frame of each form: the median of the turns."""
    taken: dict[str, list[float]] = {form: [] for form in records}
    for turn in range(turns):
        for form in list(records)[:: -1 if turn % 2 else 1]:
            taken[form].append(_turn(records[form]))
    return {form: median(seconds) / _FRAMES * 1e6 for form, seconds in taken.items()}


def _turn(records: list[Raw]) -> float:
    venue = venue_of(records[0].topic)
    begin = time.perf_counter()
    for raw in records:
        tell(venue, raw.topic, raw.partition, raw, _forget)
    return time.perf_counter() - begin


def _forget(_document: bytes, _snapshot: object) -> None:
    """The worker remembers a snapshot that had to be made."""
