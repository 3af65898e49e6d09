"""What a person runs of a venue: its producer, and, where there is one, its sandbox.

Each venue is a module in here, with the venue's name. See docs/adding-a-venue.md.
"""

from headroom.run.venue.commands import producer
from headroom.run.venue.module import Module, Shown, module_of, required
from headroom.run.venue.simulated import fault_option, run_sandbox, sandbox_options

__all__ = [
    "Module",
    "Shown",
    "fault_option",
    "module_of",
    "producer",
    "required",
    "run_sandbox",
    "sandbox_options",
]
