"""The hottest pure functions of a producer once more, compiled: see `processors.compiled`.

What may say None says what the Python beside it says, or None; then that Python has to say it.
`plain_messages` cannot fail: where no C compiler was at hand it is the Python itself.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from producers.compiled.chunks import plain_messages
    from producers.compiled.sfox import plain_frames
else:
    try:
        from producers.compiled.chunks import plain_messages
        from producers.compiled.sfox import plain_frames
    except ImportError:
        from producers.chunks import plain_messages
        from producers.compiled.nothing import plain_frames

IS_COMPILED: Final = plain_frames.__module__ == "producers.compiled.sfox"

__all__ = ["IS_COMPILED", "plain_frames", "plain_messages"]
