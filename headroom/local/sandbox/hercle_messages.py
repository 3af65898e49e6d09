"""What Hercle's hub says: its events, with every amount a JSON number of exact digits.

The numbers are written here, digit by digit, since no JSON library writes them without a float.

Source: Hercle's API documents, `GetBalances` and `executionEvents`.
"""

import json
from typing import Final, Literal

from headroom.local.sandbox.exposures import CENTS, Exposures
from headroom.local.sandbox.holdings import Account
from headroom.local.sandbox.hub import Invocation

CLIENT_ID_CHARACTERS_MAX: Final = 36
BALANCES: Final = "account.balances.snapshot"
ORDERS: Final = "account.orders.snapshot"
ERROR: Final = "preChecksError"

Form = Literal["text", "object"]
"""How an event carries its data."""


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


def balances_data(
    account: Account,
    exposures: Exposures,
    *,
    limits_in_assets: bool = False,
    deleted: bool = False,
) -> str:
    """The data of one user's balances, as documented.

    `limits_in_assets` writes the assets' exposures and limits as amounts of the asset, as the
    example of the venue's REST page reads; a `deleted` account holds nothing.
    """
    listed = [] if deleted else list(account.holdings)
    figures = _in_assets if limits_in_assets else _in_base
    assets = ", ".join(_asset(account, code, figures(account, code, exposures)) for code in listed)
    limited = exposures.limited
    base = f'"{exposures.base_currency}"' if limited else "null"
    current = CENTS.text(exposures.current_total) if limited else "null"
    limit = CENTS.text(exposures.max_total) if limited else "null"
    return (
        f'{{"userId": {_text(account.user_id)}, "sequence": {account.changes}, '
        f'"assets": [{assets}], "baseCurrency": {base}, "totalCurrentExposure": {current}, '
        f'"totalMaxExposure": {limit}, "deleted": {"true" if deleted else "false"}}}'
    )


def orders_data(account: Account) -> str:
    """The data of another subject, as a real hub sends between: the user's open orders, none."""
    return f'{{"userId": {_text(account.user_id)}, "orders": []}}'


def error_data(reason: str) -> str:
    """The data that says why a request was not carried out."""
    return f'{{"statusError": "InvalidRequest", "message": {_text(reason)}}}'


def event(*envelopes: str) -> str:
    """The hub message that carries envelopes: one, as documented, or a fault's several."""
    return f'{{"type": 1, "target": "executionEvents", "arguments": [{", ".join(envelopes)}]}}'


def envelope(
    subject: str, client_id: str, data: str, form: Form, *, data_form: Form | None = None
) -> str:
    """What an event says, with its data as JSON text in a string (`text`) or as an `object`.

    The venue sends all members of the envelope and a text; a page of its documents shows the
    object, and fewer members. `data_form` is the form of the data alone.
    """
    told = data if (data_form or form) == "object" else _text(data)
    if form == "object":
        return f'{{"subject": "{subject}", "clientId": {_text(client_id)}, "data": {told}}}'
    topic = subject.split(".")[1] if "." in subject else "errors"
    kind = "snapshot" if subject.endswith("snapshot") else "error"
    return (
        f'{{"channel": "account", "topic": "{topic}", "subject": "{subject}", "type": "{kind}", '
        f'"clientId": {_text(client_id)}, "data": {told}}}'
    )


def _asset(account: Account, code: str, figures: tuple[str, str]) -> str:
    asset, holding = account.asset(code), account.holdings[code]
    current, limit = figures
    return (
        f'{{"name": "{code}", "available": {asset.text(holding.available)}, '
        f'"allocated": {asset.text(holding.held)}, "currentExposure": {current}, '
        f'"maxExposure": {limit}}}'
    )


def _in_base(_account: Account, code: str, exposures: Exposures) -> tuple[str, str]:
    if not exposures.limited:
        return "null", "null"
    return CENTS.text(exposures.current_by_asset[code]), CENTS.text(exposures.max_by_asset[code])


def _in_assets(account: Account, code: str, exposures: Exposures) -> tuple[str, str]:
    if not exposures.limited:
        return "null", "null"
    asset, holding = account.asset(code), account.holdings[code]
    return asset.text(holding.balance), asset.text(exposures.max_units(asset))


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
