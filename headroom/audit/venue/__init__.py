"""The audit's own reading of each venue's frames: a module with the venue's name.

It has `snapshot`; or `snapshots`, where a frame may tell of several accounts.
"""
