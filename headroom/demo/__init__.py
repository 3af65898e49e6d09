"""`headroom demo`: everything on this machine, and an accounting that is counted, not assumed."""

from headroom.demo.run import DemoOptions, run_demo

__all__ = ["DemoOptions", "run_demo"]
