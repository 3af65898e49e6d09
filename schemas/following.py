"""Following a compacted topic: what a room asks for. Who reads it is somebody else's affair."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Take(Protocol):
    """Takes a record: its key, its value, and since when at the earliest it can lie there.

    `since` is in seconds of the follower's own monotonic clock. None: it was there before anybody
    looked, for whatever time. In the order of each key. What it raises is told, and passed by.
    """

    def __call__(  # noqa: D102 - see above
        self, key: bytes | None, value: bytes | None, since: float | None, /
    ) -> None: ...


class Followed(Protocol):
    """A topic that is being followed."""

    @property
    def known(self) -> bool:
        """Whether all that was there at first has been taken."""

    async def until(self, condition: Callable[[], bool] = ...) -> None:
        """Wait until all that was there at first has been taken, and something holds."""


class Follow(Protocol):
    """Follows a topic from its beginning while the block runs, for ever: Kafka may come and go.

    `forget` is called where the topic is another one than before, or has lost what was not read
    yet: what it says now is taken right after that, from its beginning and as a whole. `foreign` is
    called for each record that `take` raises over, beside what is told of it.
    """

    def __call__(  # noqa: D102 - see above
        self,
        topic: str,
        take: Take,
        *,
        forget: Callable[[], object],
        foreign: Callable[[], object] = ...,
        read_committed: bool = True,
    ) -> AbstractAsyncContextManager[Followed]: ...
