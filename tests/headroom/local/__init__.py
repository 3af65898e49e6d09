"""What is for one machine."""
