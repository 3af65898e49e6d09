"""What runs and stays."""
