"""Going on where a log is not what it was when it was read: what is wrong, and what to do."""
