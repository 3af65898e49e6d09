"""What runs and stays: workers, and the producers of the venues."""
