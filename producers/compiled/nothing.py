"""What stands in where nothing was compiled: it says nothing, so the Python beside it does."""


def plain_frames(*_: object) -> None:
    """Nothing is plain."""
