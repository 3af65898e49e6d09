"""The page's files as HTTP: who gets them, under which headers, and that a wheel holds them."""

import asyncio
import gzip
import re
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from processors.http.access import Access, guarded
from processors.http.page.serving import Page
from schemas.secrets import Secret

ROOT = Path(__file__).parents[3]
STATIC = ROOT / "processors/http/page/static"
SERVED = sorted(
    path for path in STATIC.rglob("*") if path.suffix in (".css", ".html", ".js", ".svg")
)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A worker that answers nobody without a token, with nothing but its page."""
    page = Page()
    access = Access([], Secret("canary-worker-0123456789-0123456789"))
    app = web.Application(middlewares=[guarded(access, page.paths)])
    app.add_routes(page.routes())
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def get(url: str, **headers: str) -> tuple[aiohttp.ClientResponse, bytes]:
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.get(url, headers=headers, skip_auto_headers=("Accept-Encoding",)) as response,
    ):
        return response, await response.read()


def path_of(file: Path) -> str:
    name = file.relative_to(STATIC).as_posix()
    return "/" if name == "index.html" else f"/page/{name}"


@pytest.mark.parametrize("file", SERVED, ids=lambda file: file.name)
async def test_a_file_is_served_to_everybody_as_it_is(url: str, file: Path) -> None:
    types = {".css": "text/css", ".html": "text/html", ".js": "text/javascript"}
    response, body = await get(url + path_of(file))
    assert response.status == 200
    assert response.content_type == types.get(file.suffix, "image/svg+xml")
    assert body == await asyncio.to_thread(file.read_bytes)
    _, zipped = await get(url + path_of(file), **{"Accept-Encoding": "gzip"})
    assert gzip.decompress(zipped) == body
    known, nothing = await get(url + path_of(file), **{"If-None-Match": response.headers["ETag"]})
    assert (known.status, nothing) == (304, b"")


async def test_it_may_fetch_nothing_from_elsewhere_and_stand_in_nobodys_frame(url: str) -> None:
    response, _ = await get(url + "/")
    policy = response.headers["Content-Security-Policy"]
    for word in ("default-src 'self'", "frame-ancestors 'none'", "form-action 'none'"):
        assert word in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path",
    ["/v1/users", "/page/", "/page/nobody.js", "/page/%2e%2e/v1/users", "/page/vendor/SHA256SUMS"],
)
async def test_nothing_else_is_open_to_everybody(url: str, path: str) -> None:
    response, _ = await get(url + path)
    assert response.status == 401


def test_no_address_style_or_script_stands_in_the_page() -> None:
    """What the policy would refuse anyway, and what would leave this host."""
    html = (STATIC / "index.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|https?://", html)
    ours = [path for path in SERVED if path.parent == STATIC and path.suffix in (".js", ".css")]
    for path in ours:
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|innerHTML|outerHTML|insertAdjacent|Storage\b", text), path


def test_a_wheel_holds_the_page(tmp_path: Path) -> None:
    for name in ("hatch_build.py", "pyproject.toml", "README.md", "LICENSE"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "processors/http").mkdir(parents=True)
    (tmp_path / "processors/__init__.py").touch()
    (tmp_path / "processors/http/page").symlink_to(STATIC.parent)
    build = "from hatchling.build import build_wheel; build_wheel('dist')"
    done: Any = subprocess.run(
        [sys.executable, "-c", build], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    wanted = {path for path in STATIC.rglob("*") if path.is_file()}
    assert {path.relative_to(ROOT).as_posix() for path in wanted} <= names
