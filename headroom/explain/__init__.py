"""From a number back to the venue's own bytes."""
