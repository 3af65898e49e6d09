"""Accounts of users with other names: said in a file, recorded in Kafka, moved by order."""

from headroom.operate.accounts.bindings import Bindings, read_bindings
from headroom.operate.accounts.claim import claim
from headroom.operate.accounts.move import run_move

__all__ = ["Bindings", "claim", "read_bindings", "run_move"]
