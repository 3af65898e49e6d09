"""What operators do to a Kafka that others run, act by act, against whole commands."""
