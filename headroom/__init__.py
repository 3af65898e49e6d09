"""What a person runs: the command line, the local Kafka, the simulated venues, the demo."""
