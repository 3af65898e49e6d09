"""The contract as files, for readers of any language: all made from this room's structs and topics.

`python -m schemas.export` writes them: a JSON Schema for each public topic's documents, an AsyncAPI
document of all public topics, and that document as a page. `make check` compares.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from schemas.export.asyncapi import asyncapi
from schemas.export.json_schema import DIALECT, schema_of, schemas
from schemas.export.page import page

ROOT: Final = Path(__file__).parents[2]
DIRECTORY: Final = ROOT / "schemas/json"
"""The schemas of the code as it is."""
RELEASED: Final = ROOT / "schemas/released"
"""A folder for each released version, with the schemas that it had."""
PAGE: Final = Path("docs/topics.md")


def files() -> dict[Path, str]:
    """Every file, by its path under the project's root."""
    described = asyncapi()
    found = {Path("schemas/json") / name: _text(schema) for name, schema in schemas().items()}
    found[Path("schemas/json/asyncapi.json")] = _text(described)
    found[PAGE] = page(described, schemas())
    return found


def write(root: Path = ROOT) -> list[Path]:
    """Write all files, remove schemas of topics that are no more; the paths that were written."""
    wanted = {root / path: text for path, text in files().items()}
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for path in (root / "schemas/json").glob("*.schema.json"):
        if path not in wanted:
            path.unlink()
    return list(wanted)


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


__all__ = [
    "DIALECT",
    "DIRECTORY",
    "PAGE",
    "RELEASED",
    "ROOT",
    "files",
    "schema_of",
    "schemas",
    "write",
]
