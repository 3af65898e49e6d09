"""What the two files say: services with what they inherit, and what the image gives them."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import msgspec
import yaml

ROOT = Path(__file__).parents[2]
_OPTIONAL = re.compile(r"\$\{[A-Z_]+:-([^}]*)\}")


def _as_it_is_without_variables() -> dict[str, Any]:
    """The file where nothing is set outside: each variable is what stands behind its `:-`."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(_OPTIONAL.sub(r"\1", text))
    return found


COMPOSE: dict[str, Any] = _as_it_is_without_variables()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def of_profiles(*profiles: str) -> list[str]:
    """The names of the services that start with these profiles, in the file's order."""
    return [
        name
        for name, service in SERVICES.items()
        if "profiles" not in service or set(profiles) & set(service["profiles"])
    ]


class Image(msgspec.Struct, frozen=True):
    """The last stage of the Dockerfile."""

    base: str
    entrypoint: list[str]
    environment: dict[str, str]
    user: str
    text: str


def image() -> Image:
    """Read the Dockerfile, as far as it is written here."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    joined = re.sub(r"\\\n", " ", text)
    last = joined[joined.rindex("\nFROM ") :]

    def instruction(word: str) -> str:
        found: list[str] = re.findall(rf"^{word} (.*)$", last, re.MULTILINE)
        return found[-1]

    return Image(
        base=instruction("FROM"),
        entrypoint=json.loads(instruction("ENTRYPOINT")),
        environment=dict(word.split("=", 1) for word in shlex.split(instruction("ENV"))),
        user=instruction("USER"),
        text=last,
    )


def health(service: dict[str, Any]) -> list[str]:
    """The command of a service's health check."""
    word, *command = service["healthcheck"]["test"]
    assert word == "CMD"
    return [str(argument) for argument in command]


def seconds(text: str) -> float:
    """A duration of the file: whole seconds are all that it needs."""
    assert text.endswith("s")
    return float(text[:-1])
