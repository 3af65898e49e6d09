class Account:
    user: str
    document: bytes
    received_time: str

def read(document: bytes) -> Account | None: ...
