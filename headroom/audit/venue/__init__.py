"""The audit's own reading of each venue's frames: a module with the venue's name."""
