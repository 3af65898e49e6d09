"""Thin producers: what a venue says on its socket goes to its raw topic, byte for byte."""
