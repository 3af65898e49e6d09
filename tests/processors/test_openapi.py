"""What a worker says of itself is what it does: asked by a tester, and by a client made from it.

The document itself is compared with the structs, and checked, by `tests/check/test_schemas.py`.
"""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from processors.http import questions
from processors.http.described import described
from processors.http.events.handler import Events
from tests.conftest import KafkaHandle
from tests.processors.pipeline import EPOCH, Pipeline, sfox_frame, status

RISK, PORTAL, WORKER = (f"canary-{name}-0123456789-0123456789" for name in ("r", "p", "w"))
# What the tester asks when it makes up questions; a few minutes would find no more paths.
EXAMPLES = 6
CLIENT = """
import sys
from client import AuthenticatedClient
from client.api.questions import get_users_user_balances
asked = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2])
found = get_users_user_balances.sync(user=sys.argv[3], client=asked)
print(found.totals["BTC"].total, found.freshness.state)
"""


def test_every_path_is_described_and_no_other() -> None:
    nobody: Any = SimpleNamespace()
    routes = questions.Questions(nobody, nobody, nobody, nobody).routes()
    routes += Events(nobody, nobody, nobody, partitions=1, places_max=1).routes()
    paths = {re.sub(r":[^}]*\}", "}", route.path) for route in routes}
    beside = {"/livez", "/readyz", "/metrics", "/openapi.json"}
    assert set(json.loads(described())["paths"]) == paths | beside


@pytest.fixture
async def pipeline(kafka: KafkaHandle, unique: str, tmp_path: Path) -> AsyncIterator[Pipeline]:
    async with Pipeline(kafka.bootstrap, f"{unique}.", tmp_path).topics() as made:
        yield made


async def filled(pipeline: Pipeline) -> None:
    frames = [(f"user-{n}", sfox_frame(f"user-{n}", n + 1, btc="1.50", usd="2")) for n in range(5)]
    await pipeline.send("sfox", frames)
    await pipeline.tell(status(EPOCH))


async def said_by(folder: Path, *words: str) -> str:
    """What a command writes; it has to end well."""
    process = await asyncio.create_subprocess_exec(
        *words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=folder
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


@pytest.mark.parametrize(
    "tokens",
    [
        pytest.param((), id="open", marks=pytest.mark.long),
        pytest.param((RISK, PORTAL), id="with tokens"),
    ],
)
async def test_a_tester_finds_no_difference(pipeline: Pipeline, tokens: tuple[str, ...]) -> None:
    """schemathesis: every status, header and body is as the document has it, and nothing breaks."""
    await filled(pipeline)
    known = [["risk", RISK, None], ["portal", PORTAL, ["sfox:user-1"]]]
    options = {"tokens": known, "worker_token": WORKER} if tokens else {}
    with pipeline.worker("one", **options) as worker:
        url = await worker.ready()
        await pipeline.drained()
        asking = [_tested(url, token, pipeline.folder) for token in tokens or (None,)]
        for said in await asyncio.gather(*asking):
            assert "Tested: 13" in said, said  # its own document, and events, aside
        assert worker.running
        assert "rror" not in worker.log.read_text()


async def _tested(url: str, token: str | None, folder: Path) -> str:
    """What the tester says, who asks with a token or without one; it has to be content."""
    own = folder / f"tester-{token}"  # it remembers what it found
    own.mkdir()
    asks = [] if token is None else ["--header", f"Authorization: Bearer {token}"]
    return await said_by(
        own,
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        *asks,
        "--checks=all",
        # 503 is an answer of ours, with its reason; any other is in no list of an operation.
        "--exclude-checks=not_a_server_error",
        # An answer that goes on for ever is none that it can judge: tests/processors/events.
        "--exclude-path=/v1/events",
        f"--max-examples={EXAMPLES}",
        "--generation-deterministic",
        "--no-color",
        f"--url={url}",
        f"{url}/openapi.json",
    )


async def test_a_client_made_from_it_answers_a_question(pipeline: Pipeline, tmp_path: Path) -> None:
    await filled(pipeline)
    (tmp_path / "described.json").write_bytes(described())
    (tmp_path / "config.yml").write_text("post_hooks: []\n")
    tokens = [["portal", PORTAL, ["sfox:user-1"]]]
    with pipeline.worker("one", tokens=tokens, worker_token=WORKER) as worker:
        made = said_by(
            tmp_path,
            str(Path(sys.executable).with_name("openapi-python-client")),
            "generate",
            f"--path={tmp_path / 'described.json'}",
            f"--config={tmp_path / 'config.yml'}",
            "--meta=none",
            f"--output-path={tmp_path / 'client'}",
        )
        url, _ = await asyncio.gather(worker.ready(), made)
        await pipeline.drained()
        script = tmp_path / "ask.py"
        script.write_text(CLIENT)
        asked = await said_by(tmp_path, sys.executable, str(script), url, PORTAL, "sfox:user-1")
        assert asked.split()[0] == "1.50"
        assert asked.split()[1] in {"live", "unconfirmed", "stale"}
