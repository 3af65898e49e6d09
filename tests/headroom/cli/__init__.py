"""What each command is called and takes."""
