"""The same job on Kafka Streams, in Java: sources, locked jars, and how they become a command."""
