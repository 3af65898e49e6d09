from collections.abc import Iterable

from schemas.headers import Receipt

def receipt(headers: Iterable[tuple[str, bytes]]) -> Receipt | None: ...
