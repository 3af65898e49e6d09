"""Topics in Kafka: made, mended, compared, watched."""

from headroom.topics.differences import Difference, create, require

__all__ = ["Difference", "create", "require"]
