"""What a worker says of itself: the OpenAPI document that lies beside this file."""

from importlib import resources
from typing import Final

FILE: Final = "openapi.json"
"""Written by `python -m processors.http.openapi`, from the structs of the answers."""


def described() -> bytes:
    """The document, in UTF-8."""
    return resources.files(__package__).joinpath(FILE).read_bytes()
