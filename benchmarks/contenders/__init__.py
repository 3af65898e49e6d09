"""The contenders that are Python programs; each runs in a process of its own."""
