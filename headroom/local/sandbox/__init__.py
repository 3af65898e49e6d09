"""The two venues, simulated on a local port: their own protocols, believable users, a journal.

Producers, the demo and the tests connect to them over real sockets; nothing in here shares code
with what reads the venues, so that a mistake cannot hide by being made twice.
"""

from headroom.local.sandbox.config import HercleConfig, SfoxConfig, hercle_keys, read_keys
from headroom.local.sandbox.hercle import HercleSandbox
from headroom.local.sandbox.orders import Order, UnknownFault
from headroom.local.sandbox.runner import Sandbox, SandboxReport, announced
from headroom.local.sandbox.sfox import SfoxSandbox

__all__ = [
    "HercleConfig",
    "HercleSandbox",
    "Order",
    "Sandbox",
    "SandboxReport",
    "SfoxConfig",
    "SfoxSandbox",
    "UnknownFault",
    "announced",
    "hercle_keys",
    "read_keys",
]
