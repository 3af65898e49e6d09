"""What operators do to a Kafka that others run, each act against whole commands: `make chaos PART=operators`."""
