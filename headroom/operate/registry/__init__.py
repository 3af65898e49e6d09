"""A Confluent-compatible schema registry: our schemas go in, and come back as ids for headers.

Values stay plain JSON. Who wants the schema finds its id in the header that Confluent's own
serializers use.
"""

from headroom.operate.registry.ids import schema_ids

__all__ = ["schema_ids"]
