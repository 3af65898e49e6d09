"""`/v1/events` as the OpenAPI document has it."""

from typing import Any

from processors.http.events.alerts import AlertEvents
from processors.http.events.handler import NAMES_MAX
from processors.http.events.users import UserEvents
from schemas.venues import VENUES


def described_events() -> dict[str, Any]:
    """The operation of a stream: OpenAPI 3.1 has no word for the events in it but a text."""
    text: dict[str, Any] = {"type": "string"}
    flag = {"type": "boolean", "default": False}
    filters = (
        ("user", "Of these users only.", text),
        ("asset", "Of users who hold, or held, one of these assets; alerts about them.", text),
        (
            "venue",
            "Of users with an account at one of these; alerts about these accounts.",
            {**text, "enum": [*VENUES]},
        ),
        ("kind", "Of these kinds only.", {**text, "enum": [*UserEvents.kinds, *AlertEvents.kinds]}),
    )
    last_id = "The last event's id: what changed since is told, or a `reset` and all anew."
    return {
        "operationId": "get_events",
        "tags": ["questions"],
        "summary": "What changed, as it changes, of all workers' users; see docs/contract.md.",
        "parameters": [
            *(
                {
                    "name": name,
                    "in": "query",
                    "description": about,
                    "schema": {"type": "array", "maxItems": NAMES_MAX, "items": one},
                }
                for name, about, one in filters
            ),
            {
                "name": "snapshot",
                "in": "query",
                "description": "What is now first.",
                "schema": flag,
            },
            {"name": "last_event_id", "in": "query", "description": last_id, "schema": text},
            {"name": "Last-Event-ID", "in": "header", "description": last_id, "schema": text},
        ],
        "responses": {
            "200": {
                "description": "Server-sent events. The data of `balances`, `exposure` and "
                "`freshness` is UserBalancesNow, UserExposureNow and UserFreshnessNow, or "
                "UserDeleted, that of `alert` is LimitAlert, and that of `reset`, `current` and "
                "`moved` is Control.",
                "content": {"text/event-stream": {"schema": text}},
            },
            **{
                str(status): {"$ref": f"#/components/responses/{status}"}
                for status in (400, 401, 429, 503)
            },
        },
    }
