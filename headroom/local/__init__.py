"""What is for one machine: Kafka, the simulated venues, the demo."""
