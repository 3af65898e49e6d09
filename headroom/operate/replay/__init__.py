"""Rebuilding tables and topics from raw beside the live ones, and making them the live ones."""
