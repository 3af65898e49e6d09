"""The folds: from snapshots to what a user holds, and to what all users hold. Pure."""
