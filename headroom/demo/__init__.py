"""`headroom demo`: everything on this machine, and an accounting that is counted, not assumed."""

from headroom.demo.faults import Wanted
from headroom.demo.run import run_demo
from headroom.demo.system import DemoOptions

__all__ = ["DemoOptions", "Wanted", "run_demo"]
