"""What code generators make of our JSON Schemas: `python -m tests.consumers.generators`."""
