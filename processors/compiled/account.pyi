class Account:
    user: str
    document: bytes
    received_time: str
    @property
    def place(self) -> tuple[str, str, int, int]: ...
    @property
    def source(self) -> tuple[str, int, int]: ...

def read(document: bytes) -> Account | None: ...
