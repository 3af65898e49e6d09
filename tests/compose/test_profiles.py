"""What each profile of docker-compose.yml brings, and that what it mounts and scrapes is there."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.compose.file import COMPOSE, ROOT, SERVICES, of_profiles
from tests.compose.test_file import THEIRS
from tests.registry.apicurio import VERSION as APICURIO

PROMTOOL = shutil.which("promtool")
ALWAYS = {"kafka", "topics", "keys", "worker-1", "worker-2"}
SANDBOX = {"sfox-network", "hercle-network", "sfox", "hercle", "produce-sfox", "produce-hercle"}
PROMETHEUS: dict[str, Any] = yaml.safe_load((ROOT / "compose/prometheus.yml").read_text("utf-8"))


def mounts(service: str) -> dict[str, str]:
    """Files of this folder that a service sees: where, and which."""
    found = [volume.split(":") for volume in SERVICES[service].get("volumes", [])]
    return {there: here for here, there, *_ in found if here.startswith(".")}


@pytest.mark.parametrize(
    ("profile", "more"),
    [
        ("", set()),
        ("sandbox", SANDBOX),
        ("venues", {"produce-sfox-venue", "produce-hercle-venue"}),
        ("sight", {"prometheus", "grafana"}),
        ("registry", {"registry"}),
    ],
)
def test_a_profile_brings_what_it_is_called_for(profile: str, more: set[str]) -> None:
    assert set(of_profiles(profile)) == ALWAYS | more


def test_nobody_waits_for_one_that_its_profile_does_not_bring() -> None:
    for name, service in SERVICES.items():
        brought = set(of_profiles(*service.get("profiles", [])))
        needed = set(service.get("depends_on", {}))
        needed |= {service.get("network_mode", "").removeprefix("service:")} - {""}
        assert needed <= brought, name


def test_every_file_and_volume_that_is_mounted_is_there() -> None:
    mounted = {here for name in SERVICES for here in mounts(name).values()}
    assert len(mounted) == 5
    for here in mounted:
        assert (ROOT / here).is_file(), here
    named = {
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if not volume.startswith(".")
    }
    assert named == COMPOSE["volumes"].keys()


def test_others_images_have_one_version_and_the_registry_is_the_one_that_was_tested() -> None:
    for name in THEIRS:
        assert re.search(r":v?\d+\.\d+\.\d+$", SERVICES[name]["image"]), name
    assert SERVICES["registry"]["image"].endswith(f":{APICURIO}")


def test_keys_of_venues_are_secrets_that_git_does_not_take() -> None:
    given = SERVICES["produce-sfox-venue"], SERVICES["produce-hercle-venue"]
    for service in given:
        (secret,) = service["secrets"]
        variables = service["environment"]
        (place,) = [text for name, text in variables.items() if name.endswith("API_KEY_FILE")]
        assert place == f"/run/secrets/{secret}"
        assert not any(name.endswith("API_KEY") for name in variables)
        assert COMPOSE["secrets"][secret]["file"].startswith("./keys/")
    assert "/keys/" in (ROOT / ".gitignore").read_text("utf-8").splitlines()


def test_whatever_is_scraped_is_a_service_that_answers_there() -> None:
    """A sandbox's producer is met at the container whose network it has."""
    at: dict[str, str] = {}
    for name in SERVICES:
        if "produce" in name:
            at[SERVICES[name].get("network_mode", name).removeprefix("service:")] = name
    scraped = {}
    for job in PROMETHEUS["scrape_configs"]:
        (found,) = job["dns_sd_configs"]
        labels = {one["target_label"]: one.get("replacement") for one in job["relabel_configs"]}
        assert labels["release"] == "headroom"
        for name in found["names"]:
            scraped[name] = (found["port"], labels["component"])
    assert scraped == {
        **dict.fromkeys(("worker-1", "worker-2"), (6066, "worker")),
        **dict.fromkeys(at, (6067, "producer")),
    }
    for name in scraped:
        given = SERVICES[at.get(name, name)]["environment"]
        kind = "PROBES" if name in at else "HTTP"
        # From another container: not on its own loopback.
        assert given[f"HEADROOM_{kind}_HOST"] == "0.0.0.0"  # noqa: S104 - in a container
        assert given[f"HEADROOM_{kind}_PORT"] == str(scraped[name][0])


def test_grafana_finds_prometheus_and_our_dashboard() -> None:
    seen = {
        there: yaml.safe_load((ROOT / here).read_text())
        for there, here in mounts("grafana").items()
    }
    folder = "/etc/grafana/provisioning"
    (source,) = seen[f"{folder}/datasources/headroom.yml"]["datasources"]
    (provider,) = seen[f"{folder}/dashboards/headroom.yml"]["providers"]
    host, port = source["url"].removeprefix("http://").split(":")
    assert f"127.0.0.1:{port}:{port}" in SERVICES[host]["ports"]
    boards = [there for there in seen if there.startswith(provider["options"]["path"])]
    assert [seen[there]["uid"] for there in boards] == ["headroom"]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert boards == [home]


@pytest.mark.skipif(PROMTOOL is None, reason="no promtool here: Debian's package prometheus has it")
def test_prometheus_would_start_with_what_is_mounted(tmp_path: Path) -> None:
    """Laid out as the container sees it: the rules beside the configuration."""
    for there, here in mounts("prometheus").items():
        shutil.copy(ROOT / here, tmp_path / Path(there).name)
    done = subprocess.run(
        [str(PROMTOOL), "check", "config", "prometheus.yml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done
    assert re.search(r"SUCCESS: \d+ rules found", done.stdout), done
