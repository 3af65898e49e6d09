from processors.compiled.account import Account

class Guard:
    def __init__(
        self, made_of: Account, bounds: list[tuple[int, bool, int, bool, bytes]]
    ) -> None: ...
    def holds(self, told: Account) -> bool: ...
