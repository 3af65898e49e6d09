"""What Hercle answers to an invocation, with the faults that are on."""

import re
from random import Random
from typing import Final

import msgspec

from headroom.local.sandbox import hercle_messages as said
from headroom.local.sandbox.exposures import Exposures
from headroom.local.sandbox.faults import FALLS_FROM
from headroom.local.sandbox.hercle_messages import BALANCES, ERROR, ORDERS, Form
from headroom.local.sandbox.holdings import Account
from headroom.local.sandbox.hub import Invocation, completion
from headroom.local.sandbox.market import HERCLE_ASSETS, Market
from headroom.local.sandbox.orders import Orders
from headroom.local.sandbox.wire import padded

_ORDERS_ONE_IN: Final = 40
_PLACEHOLDER: Final = 987_654_321_012_345
_AVAILABLE: Final = re.compile(r'"available": [^,]*')
_FAILED: Final = "An unexpected error occurred invoking 'GetBalances' on the server."
_SECOND_NAME_CHARACTERS_MAX: Final = 100


class Told(msgspec.Struct, frozen=True):
    """A hub message that tells of accounts; `fault` made it what it is."""

    text: str
    accounts: tuple[str, ...]
    sequence: int | None
    fault: str | None = None


class World:
    """The accounts of all users, each with its exposures, and how they change."""

    def __init__(self, user_ids: list[str], rng: Random) -> None:
        self._market = Market(user_ids, rng, kinds=HERCLE_ASSETS, margin=False)
        self._by_user = {
            account.user_id: (account, Exposures(account, self._market, rng))
            for account in self._market.accounts
        }

    def of(self, user_id: str) -> tuple[Account, Exposures]:
        """A user's account and its exposures."""
        return self._by_user[user_id]

    def step(self) -> None:
        """Change one account."""
        account = self._market.step()
        if account is not None:  # pragma: no branch - none of them rests here
            self._by_user[account.user_id][1].move()

    def move(self, user_id: str) -> None:
        """Change this account."""
        account, exposures = self._by_user[user_id]
        self._market.move(account)
        exposures.move()


class Answers:
    """Answers invocations; `rng` is not the world's: asking must not change what happens there."""

    def __init__(self, world: World, orders: Orders, form: Form, rng: Random) -> None:
        self._world = world
        self._orders = orders
        self._form = form
        self._rng = rng
        self._errors = 0
        self._seconds: dict[str, World] = {}

    def to(self, invocation: Invocation, user_id: str) -> list[str | Told]:
        """The hub messages that answer an invocation of a user, in their order."""
        error = said.check(invocation)
        done = invocation.invocation_id
        if error is not None:
            return [] if done is None else [completion(done, error)]
        end = [] if done is None else [completion(done)]
        client_id = str(invocation.arguments[0])
        refusal = said.client_id_error(client_id)
        if refusal is not None:
            return [self._error(client_id, refusal), *end]
        if self._orders.strike("pings-only", user_id):
            return []
        if self._orders.strike("completion-error", user_id):
            return [] if done is None else [completion(done, _FAILED)]
        if self._orders.strike("no-event", user_id):
            return [*end]
        if failing := self._orders.strike("error-event", user_id):
            subject = ERROR if failing.done % 2 else "account.balances.error"
            return [self._error(client_id, "Balances are not available", subject), *end]
        messages: list[str | Told] = []
        if self._rng.randint(1, _ORDERS_ONE_IN) == 1:
            account, _ = self._world.of(user_id)
            messages.append(self._event(ORDERS, client_id, said.orders_data(account)))
        if self._orders.strike("numbered-errors", user_id):
            self._errors += 1
            reason = f"Request {self._errors} could not be checked"
            messages.append(self._error(client_id, reason))
        return [*messages, self._balances(client_id, user_id), *end]

    def _balances(self, client_id: str, user_id: str) -> Told:
        if fault := self._orders.on("sequence-falls", user_id):
            return self._falling(fault.fault.name, client_id, user_id)
        if fault := self._orders.on("deleted-then-falls", user_id):
            return self._falling(fault.fault.name, client_id, user_id)
        for name in ("list", "list-text", "second-argument"):
            if self._orders.strike(name, user_id):
                return self._two(name, client_id, user_id)
        in_assets = self._orders.strike("asset-limits", user_id) is not None
        account, exposures = self._world.of(user_id)
        data = said.balances_data(account, exposures, limits_in_assets=in_assets)
        made = "asset-limits" if in_assets else None
        if self._orders.strike("bad-amount", user_id):
            made, data = "bad-amount", _AVAILABLE.sub('"available": 1e400', data, count=1)
        text = self._event(BALANCES, client_id, data)
        if large := self._orders.strike("large", user_id):
            made, text = "large", padded(text, large.order.megabytes)
        return Told(text, (user_id,), account.changes, made)

    def flood(self, user_id: str, count: int) -> list[Told]:
        """So many events of a user's balances that nobody asked for, each with its number."""
        self._world.move(user_id)
        account, exposures = self._world.of(user_id)
        first = account.changes
        account.changes = _PLACEHOLDER
        text = self._event(BALANCES, "", said.balances_data(account, exposures))
        account.changes = first + count - 1
        before, _, after = text.partition(str(_PLACEHOLDER))
        numbers = range(first, first + count)
        return [Told(f"{before}{n}{after}", (user_id,), n, "flood") for n in numbers]

    def _falling(self, name: str, client_id: str, user_id: str) -> Told:
        """First what is given up, then an account that counts from 1, each time another balance."""
        account, exposures = self._world.of(user_id)
        ordered = self._orders.on(name, user_id)
        step = 0 if ordered is None else ordered.done
        deleted = step == 0 and name == "deleted-then-falls"
        if step > 0:
            account.changes = step - 1
            self._world.move(user_id)
        elif not deleted:
            account.changes = max(account.changes, FALLS_FROM)
        self._orders.strike(name, user_id)
        data = said.balances_data(account, exposures, deleted=deleted)
        return Told(self._event(BALANCES, client_id, data), (user_id,), account.changes, name)

    def _two(self, name: str, client_id: str, user_id: str) -> Told:
        """One message of two accounts: this user's, and one that has no key of its own."""
        second = f"second-{user_id[:_SECOND_NAME_CHARACTERS_MAX]}"
        # A world of its own, made when it is needed: the others must not change for it.
        world = self._seconds.setdefault(user_id, World([second], Random(len(user_id))))
        world.move(second)
        data = [
            said.balances_data(*place.of(user))
            for place, user in ((self._world, user_id), (world, second))
        ]
        if name == "second-argument":
            envelopes = [said.envelope(BALANCES, client_id, each, self._form) for each in data]
        else:
            both = f"[{', '.join(data)}]"
            form: Form = "text" if name == "list-text" else "object"
            envelopes = [said.envelope(BALANCES, client_id, both, self._form, data_form=form)]
        return Told(said.event(*envelopes), (user_id, second), None, name)

    def _error(self, client_id: str, reason: str, subject: str = ERROR) -> str:
        return self._event(subject, client_id, said.error_data(reason))

    def _event(self, subject: str, client_id: str, data: str) -> str:
        return said.event(said.envelope(subject, client_id, data, self._form))
