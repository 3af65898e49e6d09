"""What all commands stand on: settings, errors, logs, running, and the ways to read Kafka."""
