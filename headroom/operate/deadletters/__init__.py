"""Frames that nobody could read: looking at them, and sending them again once somebody can."""

from headroom.operate.deadletters.letter import Place, place_of
from headroom.operate.deadletters.run import run_export, run_list, run_retry, run_show
from headroom.operate.deadletters.wanted import Wanted

__all__ = ["Place", "Wanted", "place_of", "run_export", "run_list", "run_retry", "run_show"]
