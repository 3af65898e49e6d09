"""What Headroom says: documents, topics, headers, amounts and times. Knows nobody, does no I/O."""
