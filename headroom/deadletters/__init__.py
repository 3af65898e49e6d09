"""Frames that nobody could read: looking at them, and sending them again once somebody can."""

from headroom.deadletters.letter import Place, place_of
from headroom.deadletters.run import run_export, run_list, run_retry, run_show
from headroom.deadletters.wanted import Wanted

__all__ = ["Place", "Wanted", "place_of", "run_export", "run_list", "run_retry", "run_show"]
