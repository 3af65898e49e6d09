"""The pictures of the README, taken of a demo that really runs: `make pictures`."""

import asyncio
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import page
from rich.console import Console

from headroom.look.live import Worker
from headroom.look.live.paint import picture
from headroom.look.live.scene import with_pace
from headroom.look.query import ask

HERE: Final = Path(__file__).parent
SECONDS: Final = 8
PAGE_SECONDS: Final = 180
WIDTH: Final = 100
USER: Final = "hercle:user-0001"
# Fonts from somebody else's server: whoever looks at a picture has one of their own.
_FOREIGN_FONTS: Final = re.compile(r"@font-face\s*\{[^}]*\}\s*")


def main() -> None:
    """Start a demo, wait until it has something to show, take the pictures."""
    if why := page.missing():
        sys.stderr.write(f"pictures: none of the page: {why}\n")
    with running_demo(SECONDS + 10) as url:
        asyncio.run(take(url))
    if not why:
        with running_demo(PAGE_SECONDS + 15) as url:
            page.take_page(url, after_seconds=PAGE_SECONDS)
        with running_demo(60, "--fault", page.FAULT) as url:
            page.take_doubtful(url)


@contextmanager
def running_demo(seconds: int, *words: str) -> Iterator[str]:
    """A demo, and the URL of its worker."""
    command = [sys.executable, "-m", "headroom", "demo", "--for", str(seconds), *words]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as demo:
        said = demo.stderr or io.StringIO()
        for line in said:
            if found := re.search(r"answers at (\S+)/v1/users", line):
                yield found[1]
                break
        for _ in said:  # to its end: what is not read would hold it back
            pass


async def take(url: str) -> None:
    """Take the pictures of a worker."""
    await asyncio.sleep(SECONDS)
    async with Worker(url) as worker:
        before = await worker.look(float(SECONDS - 1))
        await asyncio.sleep(1)
        scene = with_pace(await worker.look(float(SECONDS)), before)
    watched, asked = recording(), recording()
    watched.print(picture(scene))
    write("watch", watched, title="headroom watch")
    await ask(url, "user", USER, as_json=False, console=asked)
    write("query", asked, title=f"headroom query user {USER}")


def recording() -> Console:
    """A console that shows nothing and forgets nothing."""
    return Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)


def write(name: str, console: Console, *, title: str) -> None:
    """Write what a console has recorded beside this file."""
    drawn = console.export_svg(title=title, unique_id=name)
    (HERE / f"{name}.svg").write_text(_FOREIGN_FONTS.sub("", drawn), encoding="utf-8")


if __name__ == "__main__":
    main()
