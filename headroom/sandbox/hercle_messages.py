"""What Hercle's hub says: its events, with every amount a JSON number of exact digits.

The numbers are written here, digit by digit, since no JSON library writes them without a float.

Source: Hercle's API documents, `GetBalances` and `executionEvents`.
"""

import json
from random import Random
from typing import Final

from headroom.sandbox.exposures import CENTS, Exposures
from headroom.sandbox.holdings import Account
from headroom.sandbox.hub import Invocation, completion

CLIENT_ID_CHARACTERS_MAX: Final = 36

_ORDERS_ONE_IN: Final = 40


def check(invocation: Invocation) -> str | None:
    """Why SignalR cannot call the method of an invocation; None where it can."""
    # Method names are the same in any case, as in ASP.NET.
    if invocation.target.casefold() != "getbalances":
        return f"Unknown hub method '{invocation.target}'"
    if len(invocation.arguments) != 1:
        count = len(invocation.arguments)
        return f"Invocation provides {count} argument(s) but target expects 1."
    if not isinstance(invocation.arguments[0], str):
        return "Error binding arguments. Make sure that the types of the provided values match."
    return None


def client_id_error(client_id: str) -> str | None:
    """Why the venue refuses a tracking id; None where it takes it."""
    if not client_id:
        return "ClientId is required"
    if len(client_id) > CLIENT_ID_CHARACTERS_MAX:
        return f"ClientId must have at most {CLIENT_ID_CHARACTERS_MAX} characters"
    return None


def balances_event(client_id: str, account: Account, exposures: Exposures) -> str:
    """The event of subject `account.balances.snapshot` of one user, as documented."""
    assets = ", ".join(_asset(account, code, exposures) for code in account.holdings)
    limited = exposures.limited
    base = f'"{exposures.base_currency}"' if limited else "null"
    current = CENTS.text(exposures.current_total) if limited else "null"
    limit = CENTS.text(exposures.max_total) if limited else "null"
    data = (
        f'{{"userId": {_text(account.user_id)}, "sequence": {account.changes}, '
        f'"assets": [{assets}], "baseCurrency": {base}, "totalCurrentExposure": {current}, '
        f'"totalMaxExposure": {limit}, "deleted": false}}'
    )
    return _event("account.balances.snapshot", client_id, data)


def orders_event(client_id: str, account: Account) -> str:
    """An event of another subject, as a real hub sends between: the user's open orders, none."""
    data = f'{{"userId": {_text(account.user_id)}, "orders": []}}'
    return _event("account.orders.snapshot", client_id, data)


def checks_error_event(client_id: str, reason: str) -> str:
    """The event that says why a request was not carried out."""
    data = f'{{"statusError": "InvalidRequest", "message": {_text(reason)}}}'
    return _event("preChecksError", client_id, data)


def answer(
    invocation: Invocation, account: Account, exposures: Exposures, rng: Random
) -> tuple[list[str], str | None]:
    """The hub messages that answer an invocation, and which of them holds the balances, if any."""
    error = check(invocation)
    done = invocation.invocation_id
    if error is not None:
        return ([] if done is None else [completion(done, error)]), None
    client_id = str(invocation.arguments[0])
    refusal = client_id_error(client_id)
    balances = None
    messages: list[str] = []
    if refusal is not None:
        messages.append(checks_error_event(client_id, refusal))
    else:
        if rng.randint(1, _ORDERS_ONE_IN) == 1:
            messages.append(orders_event(client_id, account))
        balances = balances_event(client_id, account, exposures)
        messages.append(balances)
    if done is not None:
        messages.append(completion(done))
    return messages, balances


def _event(subject: str, client_id: str, data: str) -> str:
    return (
        f'{{"type": 1, "target": "executionEvents", "arguments": [{{"subject": "{subject}", '
        f'"clientId": {_text(client_id)}, "data": {data}}}]}}'
    )


def _asset(account: Account, code: str, exposures: Exposures) -> str:
    asset, holding = account.asset(code), account.holdings[code]
    current = CENTS.text(exposures.current_by_asset[code]) if exposures.limited else "null"
    limit = CENTS.text(exposures.max_by_asset[code]) if exposures.limited else "null"
    return (
        f'{{"name": "{code}", "available": {asset.text(holding.available)}, '
        f'"allocated": {asset.text(holding.held)}, "currentExposure": {current}, '
        f'"maxExposure": {limit}}}'
    )


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
