"""What all commands stand on."""
