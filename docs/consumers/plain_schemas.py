"""Our JSON Schemas without what generators of Java stumble over: `python plain_schemas.py FOLDER`.

A part that may be null (`anyOf` of it and null, `["string", "null"]`) becomes that part, in a field that need not be
there: of such a field a generator makes one that can be null. Defaults are left out: what they are
is in the page of the topics. `$schema` says draft-07, by which each of our words means the same.
"""

import json
import sys
from pathlib import Path


def plain(part):
    """The same schema for somebody who takes null for a field that is not there."""
    if isinstance(part, list):
        return [plain(one) for one in part]
    if not isinstance(part, dict):
        return part
    if "anyOf" in part:
        (own,) = [one for one in part["anyOf"] if one != {"type": "null"}]
        return plain({**{name: part[name] for name in part if name != "anyOf"}, **own})
    found = {}
    for name, value in part.items():
        if name in ("properties", "$defs"):
            found[name] = {field: plain(one) for field, one in value.items()}
        elif name == "required":
            fields = part["properties"]
            found[name] = [field for field in value if not may_be_null(fields[field])]
        elif name == "type" and isinstance(value, list):
            (found[name],) = [kind for kind in value if kind != "null"]
        elif name != "default":
            found[name] = plain(value)
    return found


def may_be_null(part):
    return "anyOf" in part or "null" in part.get("type", ())


def main(folder):
    """Rewrite each schema of the folder."""
    for path in folder.glob("*.schema.json"):
        schema = plain(json.loads(path.read_text("utf-8")))
        schema["$schema"] = "http://json-schema.org/draft-07/schema#"
        path.write_text(json.dumps(schema, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
