#!/usr/bin/env bash
# aiosignalr's server and Microsoft's client for JavaScript, both speaking the JSON hub protocol
# over a WebSocket, as the negotiation agreed (transferFormats: Text and Binary).
#
# aiosignalr 0.1.1 (Python) puts its JSON into binary WebSocket messages, the handshake's answer
#   included.
# @microsoft/signalr 10.0.11 under Node takes JSON as text only: it gives up at that answer.
# aiosignalr's own client, at the same server, is well.
# Seen: the table at the end of this file.
# Needs bash, node and npm, Python from 3.11 on with venv.
set -euo pipefail
work=$(mktemp -d)
hub=
trap 'if [ -n "$hub" ]; then kill "$hub" 2>/dev/null || true; wait "$hub" 2>/dev/null || true; fi; rm -rf "$work"' EXIT
cd "$work"

npm install --silent --no-audit --no-fund --prefix . @microsoft/signalr@10.0.11 >/dev/null
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check aiosignalr==0.1.1

cat >hub.py <<'PY'
import asyncio
from aiosignalr.server import Hub, SignalRServer


class Echo(Hub):
    async def Echo(self, text: str) -> str:
        return text


async def main() -> None:
    _, port = await SignalRServer(Echo).serve("127.0.0.1", 0, path="/hub")
    print(port, flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
PY
venv/bin/python hub.py >port 2>hub.log &
hub=$!
for _ in $(seq 100); do [ -s port ] && break; sleep 0.1; done
port=$(cat port)

cat >client.js <<'JS'
const { HubConnectionBuilder, LogLevel } = require("@microsoft/signalr");
(async () => {
  const url = `http://127.0.0.1:${process.argv[2]}/hub`;
  const hub = new HubConnectionBuilder().withUrl(url).configureLogging(LogLevel.None).build();
  try {
    await hub.start();
    console.log("js:", await hub.invoke("Echo", "hello"));
  } catch (error) {
    console.log("js:", error.message);
  }
  process.exit(0);
})();
JS
cat >client.py <<'PY'
import asyncio
import sys
from aiosignalr.client import HubConnection


async def main() -> None:
    hub = HubConnection()
    await hub.start(f"ws://127.0.0.1:{sys.argv[1]}/hub")
    print("aiosignalr:", await hub.invoke("Echo", "hello"))
    await hub.stop()


asyncio.run(main())
PY
{ timeout 60 venv/bin/python client.py "$port"; timeout 60 node client.js "$port"; } | tee seen
diff - seen <<'EXPECTED' && echo "as found: aiosignalr 0.1.1, @microsoft/signalr 10.0.11"
aiosignalr: hello
js: Error parsing handshake response: TypeError: textData.substring is not a function
EXPECTED
