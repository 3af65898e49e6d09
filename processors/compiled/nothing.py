"""What stands in where nothing was compiled: it says nothing, so the Python beside it does."""


class Account:
    """There is none."""


class Folded:
    """There is none."""


class Guard:
    """There is none."""


class Moved:
    """There is none."""


class PlainShare:
    """There is none."""


class Row:
    """There is none."""


def _nothing(*_: object) -> None:
    return None


plain_hercle = plain_sfox = read = read_bundle = read_row = receipt = fold = documents = _nothing
