from processors.ledger.users import UserState

def of_one_account(
    state: UserState, document: bytes, limits: bytes
) -> tuple[bytes, bytes, bytes] | None: ...
