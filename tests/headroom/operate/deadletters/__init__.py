"""Frames that nobody could read."""
