"""signalrcore's own client, socket and all: as official.js."""

import json
import logging
import sys

from signalrcore.hub_connection_builder import HubConnectionBuilder


def said(*words: object) -> None:
    print(json.dumps(words), flush=True)


def completed(completion: object) -> None:
    said("failed", completion.error) if completion.error else said("result", completion.result)


url, key = sys.argv[1:3]
options = {"access_token_factory": lambda: key}
hub = (
    HubConnectionBuilder()
    .with_url(url, options=options)
    .configure_logging(logging.CRITICAL)
    .build()
)
hub.on("executionEvents", lambda arguments: [said("event", each) for each in arguments])
hub.on_open(lambda: said("open"))
hub.on_error(completed)
hub.on_close(lambda *_: said("closed", None))
hub.start()
for line in sys.stdin:
    name, argument = json.loads(line)
    if name == "stop":
        hub.stop()
        break
    target, arguments = ("GetBalances", [argument]) if name == "ask" else (argument, [])
    hub.send(target, arguments, on_invocation=completed)
