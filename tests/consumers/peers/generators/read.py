"""Reads documents into types that datamodel-code-generator made, and tells what it read.

`python read.py FOLDER KIND < LINES`: a line is a topic, a tab and JSON; its answer is JSON, or `!`
and why it was not read.
"""

import importlib
import json
import sys
from pathlib import Path


def main(folder, kind):
    sys.path.insert(0, folder)
    types = {}
    for line in sys.stdin:
        topic, _, text = line.rstrip("\n").partition("\t")
        if topic not in types:
            name = topic.replace(".", "_")
            title = json.loads(Path(folder, f"{topic}.schema.json").read_bytes())["title"]
            types[topic] = getattr(importlib.import_module(name), title)
        try:
            print(READERS[kind](types[topic], text))
        except Exception as error:  # noqa: BLE001 - each library has its own
            print("!" + " ".join(str(error).split()))


def by_pydantic(model, text):
    return model.model_validate_json(text).model_dump_json(by_alias=True, exclude_unset=True)


def by_msgspec(model, text):
    import msgspec

    return msgspec.json.encode(msgspec.json.decode(text, type=model)).decode()


READERS = {"pydantic_v2.BaseModel": by_pydantic, "msgspec.Struct": by_msgspec}

if __name__ == "__main__":
    main(*sys.argv[1:])
