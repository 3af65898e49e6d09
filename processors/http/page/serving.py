"""The page's files over HTTP: to everybody, as they hold no number; what they ask for is guarded.

Nothing is built: the files in `static/` are what a browser gets. It may run no script and use no
style but these, fetch nothing from anywhere else, and show them in nobody's frame. Texts from a
venue are never read as markup: with trusted types a browser refuses that, whoever tries.
"""

import gzip
import hashlib
from collections.abc import Iterator
from functools import partial
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

import msgspec
from aiohttp import hdrs, web

from processors.http.encodings import takes_gzip

FOLDER: Final = "/page"
_FIRST: Final = "index.html"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What is served; licences and sums lie beside it."""
_POLICY: Final = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Kept, and asked for again each time: a new version of a worker has a new page at once.
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding",
}


class File(msgspec.Struct, frozen=True):
    """A file as it is served; `tag` changes with its bytes."""

    content_type: str
    tag: str
    plain: bytes
    zipped: bytes


class Page:
    """The page's files, read once."""

    def __init__(self) -> None:
        static = resources.files(__package__).joinpath("static")
        self._files = {_path(name): _file(name, data) for name, data in _found(static, "")}

    @property
    def paths(self) -> frozenset[str]:
        """All that needs no token."""
        return frozenset(self._files)

    def routes(self) -> list[web.RouteDef]:
        """A path for each file."""
        return [web.get(path, partial(_answer, file)) for path, file in self._files.items()]


async def _answer(file: File, request: web.Request) -> web.Response:
    headers = {**_HEADERS, "Content-Type": file.content_type, "ETag": f'W/"{file.tag}"'}
    known = request.if_none_match or ()
    if any(tag.value in (file.tag, "*") for tag in known):
        return web.Response(status=web.HTTPNotModified.status_code, headers=headers)
    if takes_gzip(request.headers.getall(hdrs.ACCEPT_ENCODING, [])):
        headers["Content-Encoding"] = "gzip"
        return web.Response(body=file.zipped, headers=headers)
    return web.Response(body=file.plain, headers=headers)


def _found(folder: Traversable, before: str) -> Iterator[tuple[str, bytes]]:
    for one in folder.iterdir():
        name = before + one.name
        if one.is_dir():
            yield from _found(one, f"{name}/")
        elif _ending(name) in _TYPES:
            yield name, one.read_bytes()


def _path(name: str) -> str:
    return "/" if name == _FIRST else f"{FOLDER}/{name}"


def _file(name: str, data: bytes) -> File:
    tag = hashlib.sha256(data).hexdigest()[:16]
    return File(_TYPES[_ending(name)], tag, data, gzip.compress(data, mtime=0))


def _ending(name: str) -> str:
    return name[name.rfind(".") :]
