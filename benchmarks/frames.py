"""Frames as text, of either venue, in the form in which it sends them; amounts at random."""

import json
from collections.abc import Sequence
from random import Random
from typing import Final

from schemas.amounts import text_of_units
from schemas.venues import VENUES

SFOX: Final = VENUES["sfox"]
HERCLE: Final = VENUES["hercle"]
EPOCH: Final = 1_710_367_000_000_000_000
PLACES: Final = {
    "btc": 8,
    "eth": 8,
    "usd": 8,
    "sol": 9,
    "usdt": 6,
    "usdc": 6,
    "xrp": 6,
    "ada": 6,
    "dot": 8,
    "ltc": 8,
}
WALLETS: Final = ("trading", "collateral", "borrow", "lending", "staking")
# A frame of so many amounts of every asset, and of the whole account.
AMOUNTS_OF_UPDATE_MIN: Final = 3
AMOUNTS_OF_UPDATE_MAX: Final = AMOUNTS_OF_UPDATE_MIN + len(WALLETS)
AMOUNTS_OF_ITEM: Final = 4
AMOUNTS_OF_ACCOUNT: Final = 2


def sfox_frame(
    account: str, number: int, random: Random, assets: Sequence[str], wallets: int = len(WALLETS)
) -> str:
    """A frame of sFOX with the first so many wallets of each asset."""
    updates = ",".join(_update(asset, random, wallets) for asset in assets)
    return (
        f'{{"sequence":{number},"recipient":"{SFOX.feed}",'
        f'"timestamp":{EPOCH + number * 1_000_003},'
        f'"payload":{{"user_id":"{account}","updates":[{updates}]}}}}'
    )


def _update(asset: str, random: Random, wallets: int) -> str:
    total, available, held = _holding(asset, random)
    parts = "".join(
        f',"{wallet}_wallet":"{"0" if at else total}"'
        for at, wallet in enumerate(WALLETS[:wallets])
    )
    return (
        f'{{"currency":"{asset}","balance":"{total}","available":"{available}","held":"{held}"'
        f"{parts}}}"
    )


def hercle_frame(
    account: str, number: int, random: Random, assets: Sequence[str], *, as_text: bool = True
) -> str:
    """A message of Hercle's hub: all names of its envelope, the account as a text or an object."""
    items = ",".join(_item(asset, random) for asset in assets)
    data = (
        f'{{"userId":"{account}","sequence":{number},"assets":[{items}],"baseCurrency":"EUR",'
        f'"totalCurrentExposure":{_cents(random)},"totalMaxExposure":250000,"deleted":false}}'
    )
    return hercle_message(json.dumps(data) if as_text else data)


def hercle_message(data: str) -> str:
    """A message with this JSON for its data."""
    return (
        '{"type":1,"target":"executionEvents","arguments":[{"channel":"execution",'
        f'"topic":"account.balances","subject":"{HERCLE.feed}","type":"snapshot",'
        f'"clientId":"headroom","data":{data}}}]}}'
    )


def _item(asset: str, random: Random) -> str:
    _, available, held = _holding(asset, random)
    return (
        f'{{"name":"{asset.upper()}","available":{available},"allocated":{held},'
        f'"currentExposure":{_cents(random)},"maxExposure":50000}}'
    )


def _cents(random: Random) -> str:
    return text_of_units(random.randrange(10**7), 2)


def _holding(asset: str, random: Random) -> tuple[str, str, str]:
    """In total, available, held: every fourth asset has something on hold."""
    places = PLACES[asset]
    held = random.randrange(10**places) if random.random() < 0.25 else 0
    available = random.randrange(10 ** (places + 3))
    told = text_of_units(held, places) if held else "0"
    return text_of_units(available + held, places), text_of_units(available, places), told


def bad_sfox_frame(number: int, kind: int) -> str:
    """A frame that is wrong; each kind in another way."""
    head = f'{{"sequence":{number},"recipient":"{SFOX.feed}","timestamp":1,"payload":'
    update = '"balance":"1","available":"1"'
    btc = f'{{"currency":"btc",{update}'
    twice = f'{btc},"held":"0"}},{{"currency":"BTC",{update},"held":"0"}}'
    kinds = (
        f'{head}{{"user_id":"u","updates":[{btc},"held":" 1"}}]}}}}',
        f'{head}{{"user_id":"u","user_id":"v","updates":[]}}}}',
        f'{head}{{"user_id":"u","updates":[{btc}}}]}}}}',
        f'{head}{{"user_id":"u","updates":[',
        f'{head}{{"user_id":7,"updates":[]}}}}',
        f'{head}{{"user_id":"u","updates":[{twice}]}}}}',
        '{"type":"success"}',
        f"{head}NaN}}",
    )
    return kinds[kind % len(kinds)]


def bad_hercle_frame(number: int, kind: int) -> str:
    """The same of Hercle."""
    head = f'{{"deleted":false,"sequence":{number},"userId":'
    btc = '{"name":"BTC","available":1'
    twice = f'{btc},"allocated":0}},{{"name":"btc","available":1,"allocated":0}}'
    kinds = (
        f'{head}"u","assets":[{btc},"allocated":1e99}}]}}',
        f'{head}"u","userId":"v","assets":[]}}',
        f'{head}"u","assets":[{btc}}}]}}',
        f'{head}"u","assets":[',
        f'{head}7,"assets":[]}}',
        f'{head}"u","assets":[{twice}]}}',
        "null",
        f"{head}NaN}}",
    )
    return hercle_message(json.dumps(kinds[kind % len(kinds)]))
