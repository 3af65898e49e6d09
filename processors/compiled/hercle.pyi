from processors.normalise.frame import RawRecord
from schemas.codec import Told

def plain(topic: str, partition: int, record: RawRecord) -> Told | None: ...
