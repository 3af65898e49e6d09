"""`headroom demo`: everything on this machine, and an accounting that is counted, not assumed."""

from headroom.local.demo.faults import Wanted
from headroom.local.demo.run import run_demo
from headroom.local.demo.system import DemoOptions

__all__ = ["DemoOptions", "Wanted", "run_demo"]
