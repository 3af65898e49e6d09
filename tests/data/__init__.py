"""Test data: whole frames as the venues document them, and the contract's example documents."""

import json
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).parent


def documented_frame(venue: str) -> bytes:
    """The example of a balance frame in the venue's own documents, as it would come."""
    return (DIRECTORY / venue / "balances.json").read_bytes().strip()


def contract_snapshot(venue: str) -> dict[str, Any]:
    """The contract's BalanceSnapshot of the documented frame; it shows one of its assets."""
    return json.loads((DIRECTORY / "contract" / f"{venue}.snapshot.json").read_text("utf-8"))
