from processors.compiled.account import Account

class Row:
    version: int
    newest: Account

def read_row(data: bytes) -> Row | None: ...
