"""Frames of both venues, as text."""

import json


def sfox(account="test3", sequence=22, updates=None, **more):
    """A balance frame of sFOX; `updates` maps a currency to its balance."""
    updates = {"btc": "1.10"} if updates is None else updates
    items = [
        {"currency": name, "balance": amount, "available": amount, "held": "0"}
        for name, amount in updates.items()
    ]
    frame = {
        "sequence": sequence,
        "recipient": "private.enterprise.users.balances",
        "timestamp": 1710367225302228171,
        "payload": {"user_id": account, "updates": items},
        **more,
    }
    return json.dumps(frame).encode()


def several(*frames):
    """One message of Hercle that lists what some messages tell of one account each."""
    first, *_ = messages = [frame.decode() for frame in frames]
    before, after = '"data":', "}]}"
    bodies = [text.partition(before)[2].removesuffix(after) for text in messages]
    head = first.partition(before)[0]
    return f"{head}{before}[{','.join(bodies)}]{after}".encode()


def web3(account="test3", sequence=22, updates=None):
    """A balance frame of sFOX with an entry of its web3 kind behind the others: some SOL."""
    frame = json.loads(sfox(account, sequence, updates))
    entry = {"currency": "sol", "address": "x", "network": "solana", "balance": "5"}
    frame["payload"]["updates"].append(entry)
    return json.dumps(frame).encode()


def hercle(
    account="user-123", sequence=123, assets="", *, deleted=False, base='"EUR"', max_="1500"
):
    """A balance frame of Hercle; `assets` is the list's own text, numbers with their digits."""
    return (
        '{"type":1,"target":"executionEvents","arguments":[{"subject":"account.balances.snapshot",'
        f'"data":{{"userId":{json.dumps(account)},"sequence":{sequence},"assets":[{assets}],'
        f'"baseCurrency":{base},"totalCurrentExposure":1430,"totalMaxExposure":{max_},'
        f'"deleted":{json.dumps(deleted)}}}}}]}}'
    ).encode()


USDT = '{"name":"USDT","available":1000,"allocated":250,"currentExposure":0,"maxExposure":1500}'
EUR = '{"name":"eur","available":2,"allocated":0.50}'
