"""Schemas in a registry that is not ours."""
