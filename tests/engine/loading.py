"""A broker that has just come and still reads what it knows of consumer groups."""

from tests.engine.proxy import Kind, Proxy

_LOADING = (14).to_bytes(2)
_INT = 4
# From which version on a number of tags is behind an answer's number, and an array's length short.
_FLEXIBLE_FROM = {Kind.LIST_GROUPS: 3, Kind.DESCRIBE_GROUPS: 5}


class Loading(Proxy):
    """Says so to the first questions of this kind, `times` of them; then it answers."""

    def __init__(self, bootstrap: str, kind: Kind, *, times: int) -> None:
        super().__init__(bootstrap)
        self._kind = kind
        self.left = times
        self._version = 0

    def request(self, kind: int, frame: bytes) -> bytes:
        """Look which version is asked in."""
        if kind == self._kind:
            self._version = int.from_bytes(frame[2:4])
        return frame

    async def answer(self, kind: int, frame: bytes) -> bytes:
        """Behind its number and a throttle time lies the error, or an array of what has one."""
        if kind != self._kind or not self.left:
            return frame
        self.left -= 1
        flexible = self._version >= _FLEXIBLE_FROM[self._kind]
        at = _INT + flexible + (_INT if self._version else 0)
        if kind == Kind.DESCRIBE_GROUPS:
            at += 1 if flexible else _INT
        return frame[:at] + _LOADING + frame[at + 2 :]
