"""Topics in Kafka: made, mended, compared, watched."""

from headroom.operate.topics.differences import Difference, create, require

__all__ = ["Difference", "create", "require"]
