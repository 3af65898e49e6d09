from processors.compiled.account import Account

class Row:
    version: int
    newest: Account
    assets: list[str]

def read_row(data: bytes) -> Row | None: ...
