"""Raw clients of the two venues for the tests: sockets and text, nothing of Headroom's own."""

import asyncio
import json
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

FEED = "private.enterprise.users.balances"


async def read_to_the_close(client):
    """Every message until the connection is closed."""
    messages = []
    try:
        while True:
            messages.append(await client.recv())
    except ConnectionClosed:
        return messages


def journal_lines(path):
    """The lines of a journal, decoded."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


async def sfox_ask(client, **request):
    """Send one request; the next message is its answer."""
    await client.send(json.dumps(request))
    return json.loads(await client.recv())


async def sfox_subscribe(client, key):
    """Authenticate and subscribe."""
    await sfox_ask(client, type="authenticate", apiKey=key, enterprise="true")
    answer = await sfox_ask(client, type="subscribe", feeds=[FEED])
    assert answer["type"] == "success"


async def http(url, method="GET", headers=None, *, head=False):
    """One HTTP request over a plain socket: the status and the body, or with `head` the headers."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    writer.write("\r\n".join([*lines, "Content-Length: 0", "", ""]).encode())
    said, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    lines = [line.partition(": ") for line in said.decode().split("\r\n")[1:]]
    found = {name.lower(): value for name, _, value in lines}
    return int(said.split()[1]), found if head else body.decode()


def bearer(key):
    """The header that carries a Hercle API key."""
    return {"Authorization": f"Bearer {key}"}


async def negotiate(url, key):
    """Negotiate, and return the answer."""
    status, body = await http(f"{url}/negotiate?negotiateVersion=1", "POST", bearer(key))
    assert status == 200, body
    return json.loads(body)


class HercleClient:
    """A hub client: negotiates, shakes hands, splits at 0x1E, and keeps what came."""

    def __init__(self, url, key):
        self.url = url
        self.key = key
        self.messages = []
        self.joined = 0

    async def __aenter__(self):
        token = (await negotiate(self.url, self.key))["connectionToken"]
        url = self.url.replace("http:", "ws:", 1)
        self.socket = await connect(f"{url}?id={token}", additional_headers=bearer(self.key))
        await self.socket.send('{"protocol":"json","version":1}\x1e')
        assert await self.next() == "{}"
        return self

    async def __aexit__(self, *_):
        await self.socket.close()

    async def next(self):
        """The next hub message, pings passed over."""
        while True:
            while self.messages:
                message = self.messages.pop(0)
                if message != '{"type":6}':
                    return message
            self.take(await self.socket.recv())

    def take(self, data):
        """Split one WebSocket message."""
        data = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
        assert data.endswith("\x1e")
        pieces = data.split("\x1e")[:-1]
        self.joined += len(pieces) > 1
        self.messages += pieces

    async def invoke(self, *arguments, target="GetBalances", invocation_id=None):
        """Send an invocation."""
        message = {"type": 1, "target": target, "arguments": list(arguments)}
        if invocation_id is not None:
            message["invocationId"] = invocation_id
        await self.socket.send(json.dumps(message) + "\x1e")

    async def balances(self, client_id="me"):
        """Ask for balances and return the text of the event, other subjects passed over."""
        await self.invoke(client_id)
        while True:
            message = await self.next()
            if '"account.balances.snapshot"' in message:
                return message

    async def rest(self):
        """Every hub message until the close."""
        for data in await read_to_the_close(self.socket):
            self.take(data)
        return [message for message in self.messages if message != '{"type":6}']
