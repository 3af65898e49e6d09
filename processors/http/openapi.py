"""The questions as an OpenAPI 3.1 document, which `/openapi.json` answers with.

It is made from the structs of the answers and lies beside this file: `python -m
processors.http.openapi` writes it, and `make check` compares.

Source: OpenAPI 3.1.1; RFC 9457 for the problem documents; RFC 6750 for the bearer tokens.
"""

import inspect
import json
from pathlib import Path
from typing import Any, Final

import msgspec

from processors.http import answers
from processors.http.described import FILE
from processors.http.events.described import described_events
from processors.http.events.relay import PATH as EVENTS_PATH
from processors.http.events.text import Control
from processors.http.explained import ExplainedNow
from processors.http.of_users import BATCH_PATH, Batch
from processors.http.overview import LIMITS_MAX
from processors.http.questions import LIMITS_DEFAULT, USERS_PER_PAGE, USERS_PER_PAGE_MAX
from processors.http.terms import AGE_SECONDS_MAX
from schemas.documents import AssetExposure, BaseExposure, LimitAlert
from schemas.export.asyncapi import CONTRACT_VERSION
from schemas.export.examples import examples
from schemas.export.json_schema import wide
from schemas.topics import BALANCES, BALANCES_LATEST, EXPOSURE_ASSET, EXPOSURE_BASE, EXPOSURE_USER

_REF: Final = "#/components/schemas/{name}"
_WHY: Final = {
    400: "The question cannot be understood.",
    304: "It is the answer that is known already.",
    401: "A bearer token is missing, or not known.",
    403: "The token is for some users only; this is over all of them.",
    404: "There is no such user, asset or base currency: only who holds the key may say so.",
    413: "More than a mebibyte.",
    429: "This token may not ask so often.",
    503: "Not known at this moment: tables are restored or moved, the worker that holds the key "
    "does not answer, too many are connected, or the number is not as live or as new as is "
    "asked for. An empty answer never stands for it.",
}
_ACCOUNT_FRESHNESS: Final = {
    "venue": "hercle",
    "account": "user-123",
    "state": "live",
    "cause": None,
    "reason": None,
    "since": None,
    "age_seconds": 0.412,
}
_FRESHNESS: Final = {
    "source": {"topic": "raw.hercle.balances.v1", "partition": 1, "offset": 7},
    "source_time": "2024-03-13T22:00:25.310000000Z",
    "age_seconds": 0.412,
    "stale": False,
    "state": "live",
    "cause": None,
    "reason": None,
    "since": None,
    "accounts": [_ACCOUNT_FRESHNESS],
}


_ASSET: Final = {
    "name": "asset",
    "in": "query",
    "required": True,
    "description": "The asset's name, in any case.",
    "schema": {"type": "string", "minLength": 1},
}


class _Question(msgspec.Struct, frozen=True):
    """A path: what it answers with, what may be said beside it, and what may go wrong."""

    path: str
    about: str
    answer: type[msgspec.Struct]
    statuses: tuple[int, ...]
    parameters: tuple[dict[str, Any], ...] = ()
    example: Any = None


def openapi() -> dict[str, Any]:
    """The document."""
    questions = _questions()
    structs = [
        *(one.answer for one in questions),
        answers.BatchNow,
        answers.UserFreshnessNow,
        answers.UserDeleted,
        LimitAlert,
        Control,
        Batch,
        answers.ProblemDocument,
    ]
    _, schemas = msgspec.json.schema_components(structs, ref_template=_REF)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Headroom",
            "version": f"{CONTRACT_VERSION}.0.0",
            "summary": "Live balances, exposure and headroom under limits, per user.",
            "description": "Any worker answers for any user. Amounts are text, exact to the last "
            "digit; times are RFC 3339 in UTC. Unknown further fields may come: ignore them. The "
            "words are explained in docs/contract.md.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "Any worker."}],
        # Where no tokens are set, a worker listens to its own machine only and asks for none.
        "security": [{"token": []}, {}],
        "tags": [
            {"name": "questions", "description": "What users hold, and how true that is."},
            {"name": "operation", "description": "Probes, metrics, and this document."},
        ],
        "paths": {
            **{one.path: {"get": _operation(one)} for one in questions},
            BATCH_PATH: {"post": _batch()},
            EVENTS_PATH: {"get": described_events()},
            **_probes(),
        },
        "components": {
            "schemas": {name: _tidy(part) for name, part in sorted(schemas.items())},
            "responses": {str(status): _problem(status) for status in _WHY},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Made by `headroom token`, or a JWT of the issuer that is "
                    "believed. One for some users covers these.",
                }
            },
        },
    }


def _questions() -> list[_Question]:
    shown = examples()
    user = _in_path("user", "The user's id, percent-encoded, slashes included.")
    of_user, over_all = (304, 400, 401, 404, 429, 503), (401, 403, 429, 503)
    terms = (user, *_terms())
    return [
        _Question(
            "/v1/users",
            "One page of all users' names, in order; with a token for some users, of those.",
            answers.Users,
            (400, 401, 429, 503),
            (
                _limit(USERS_PER_PAGE, USERS_PER_PAGE_MAX),
                {
                    "name": "after",
                    "in": "query",
                    "description": "The page begins behind this name: the last page's `next`.",
                    "schema": {"type": "string", "default": ""},
                },
            ),
            {"users": ["hercle:user-123", "sfox:user-0001"], "next": None},
        ),
        _Question(
            "/v1/users/{user}/balances",
            "What a user holds, account by account, in total and free, and how fresh that is.",
            answers.UserBalancesNow,
            of_user,
            terms,
            {**shown[BALANCES_LATEST].document, "freshness": _FRESHNESS},
        ),
        _Question(
            "/v1/users/{user}/exposure",
            "A user's exposure by asset and against every limit, and how fresh that is.",
            answers.UserExposureNow,
            of_user,
            terms,
            {**shown[EXPOSURE_USER].document, "freshness": _FRESHNESS},
        ),
        _Question(
            "/v1/users/{user}/explain",
            "What a user's number of an asset is made of, back to the raw records.",
            ExplainedNow,
            of_user,
            (user, _ASSET, *_terms()),
            _explained(shown[BALANCES_LATEST].document),
        ),
        _Question(
            "/v1/assets",
            "The names of all assets that were ever held.",
            answers.Assets,
            over_all,
            (),
            {"assets": ["BTC", "USDT"]},
        ),
        _Question(
            "/v1/assets/{asset}/exposure",
            "What all users hold of one asset, over the last known numbers.",
            AssetExposure,
            (*over_all, 404),
            (_in_path("asset", "The asset's name, in any case."),),
            shown[EXPOSURE_ASSET].document,
        ),
        _Question(
            "/v1/bases/{base_currency}/exposure",
            "All accounts' own totals in one base currency, over the last known numbers.",
            BaseExposure,
            (*over_all, 404),
            (_in_path("base_currency", "The base currency's name, in any case."),),
            shown[EXPOSURE_BASE].document,
        ),
        _Question(
            "/v1/feeds",
            "The newest status of each connection to a venue.",
            answers.FeedsNow,
            over_all,
        ),
        _Question(
            "/v1/overview",
            "How many users there are, how fresh they are, and the limits that are used most.",
            answers.OverviewNow,
            (400, *over_all),
            (_limit(LIMITS_DEFAULT, LIMITS_MAX),),
        ),
    ]


def _explained(balances: dict[str, Any]) -> dict[str, Any]:
    """The example of an answer, of the balances that are another one's."""
    account = balances["accounts"][0]
    asset, balance = next(iter(account["assets"].items()))
    source = account["source"]
    place = f"{source['topic']}/{source['partition']}/{source['offset']}"
    names = ("venue", "account", "source", "epoch", "sequence", "receipt", "venue_time")
    part = {name: account[name] for name in (*names, "received_time")}
    part |= {"balance": balance, "unknown": False, "confirmed": None}
    part |= {"snapshot": {"topic": BALANCES, "id": place}, "freshness": _ACCOUNT_FRESHNESS}
    version, user = balances["version"], balances["user"]
    return {
        "user": user,
        "asset": asset,
        "version": version,
        "document": f"{BALANCES_LATEST}/{user}/{version}",
        **balances["totals"][asset],
        "parts": [part],
        "freshness": _FRESHNESS,
    }


def _operation(one: _Question) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": _REF.format(name=one.answer.__name__)}}
    if one.example is not None:
        content["example"] = one.example
    name = "_".join(part.strip("{}") for part in one.path.removeprefix("/v1/").split("/") if part)
    return {
        "operationId": f"get_{name}",
        "tags": ["questions"],
        "summary": one.about,
        **({"parameters": list(one.parameters)} if one.parameters else {}),
        "responses": {
            "200": {"description": "The answer.", "content": {"application/json": content}},
            **{
                str(status): {"$ref": f"#/components/responses/{status}"}
                for status in sorted(one.statuses)
            },
        },
    }


def _terms() -> tuple[dict[str, Any], ...]:
    """What an answer about a user may be asked to be."""
    seconds = {"type": "number", "minimum": 0, "maximum": AGE_SECONDS_MAX}
    return (
        {
            "name": "max_age_seconds",
            "in": "query",
            "description": "503 where `freshness.age_seconds` is more.",
            "schema": seconds,
        },
        {
            "name": "require",
            "in": "query",
            "description": "503 where `freshness.state` is not `live`: a copy's never is.",
            "schema": {"type": "string", "enum": ["live"]},
        },
        _allow_stale(),
        {
            "name": "If-None-Match",
            "in": "header",
            "description": "The `ETag` of an answer that is known: 304 where it would come again, "
            "older alone.",
            "schema": {"type": "string"},
        },
    )


def _allow_stale() -> dict[str, Any]:
    return {
        "name": "allow_stale",
        "in": "query",
        "description": "A copy of the row will do while the worker that holds it does not answer, "
        "or restores it. Such an answer has `copy`, is never live, and has no `ETag`.",
        "schema": {"type": "boolean", "default": False},
    }


def _batch() -> dict[str, Any]:
    def content(name: str) -> dict[str, Any]:
        return {"application/json": {"schema": {"$ref": _REF.format(name=name)}}}

    return {
        "operationId": "ask_users_balances",
        "tags": ["questions"],
        "summary": "What many users hold, and how fresh that is; null for who is not there.",
        "parameters": [_allow_stale()],
        "requestBody": {"required": True, "content": content("Batch")},
        "responses": {
            "200": {"description": "The answer.", "content": content("BatchNow")},
            **{
                str(status): {"$ref": f"#/components/responses/{status}"}
                for status in (400, 401, 413, 429, 503)
            },
        },
    }


def _probes() -> dict[str, Any]:
    """What needs no token, and names no user."""
    said = (
        ("/livez", "Whether this process works: 503 where a restart helps.", "text/plain", True),
        (
            "/readyz",
            "Whether this worker answers: tables there, offsets moving.",
            "text/plain",
            True,
        ),
        ("/metrics", "What it counts, as Prometheus reads it.", "text/plain", False),
        (f"/{FILE}", "This document.", "application/json", False),
    )
    return {
        path: {
            "get": {
                "operationId": f"get_{path[1:].removesuffix('.json')}",
                "tags": ["operation"],
                "summary": about,
                "security": [],
                "responses": {
                    "200": {"description": "The answer.", "content": {kind: {}}},
                    **({"503": {"$ref": "#/components/responses/503"}} if may_fail else {}),
                },
            }
        }
        for path, about, kind, may_fail in said
    }


def _in_path(name: str, about: str) -> dict[str, Any]:
    text = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "description": about, "schema": text}


def _limit(default: int, maximum: int) -> dict[str, Any]:
    number = {"type": "integer", "minimum": 1, "maximum": maximum, "default": default}
    return {"name": "limit", "in": "query", "description": "How many at most.", "schema": number}


def _problem(status: int) -> dict[str, Any]:
    if status == 304:  # noqa: PLR2004 - the only one that is no error
        return {"description": _WHY[status]}
    found: dict[str, Any] = {
        "description": _WHY[status],
        "content": {
            "application/problem+json": {"schema": {"$ref": _REF.format(name="ProblemDocument")}}
        },
    }
    text, whole = {"type": "string"}, {"type": "integer"}
    if status == 401:  # noqa: PLR2004 - the only one with a challenge
        found["headers"] = {"WWW-Authenticate": {"schema": text}}
    if status in {429, 503}:  # they pass by themselves
        found["headers"] = {"Retry-After": {"description": "Seconds.", "schema": whole}}
    return found


def _tidy(part: Any) -> Any:  # noqa: ANN401 - any JSON
    """The same, docstrings without the source's indentation, tuples as JSON has them."""
    if isinstance(part, dict):
        found = {name: _tidy(value) for name, value in part.items()}
        if isinstance(found.get("description"), str):
            found["description"] = inspect.cleandoc(found["description"])
        return wide(found)
    return [_tidy(one) for one in part] if isinstance(part, list | tuple) else part


def text() -> str:
    """The document as the file has it."""
    return json.dumps(openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name(FILE).write_text(text(), encoding="utf-8")
