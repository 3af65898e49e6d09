"""Server-sent events: what changed, as it changes; each reader gets the newest of what it reads."""
