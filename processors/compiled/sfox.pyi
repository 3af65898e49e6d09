from processors.normalise.frame import RawFrame
from schemas.codec import Told

def plain(frame: RawFrame) -> Told | None: ...
