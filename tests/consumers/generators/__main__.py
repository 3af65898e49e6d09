"""`python -m tests.consumers.generators`: writes the table of docs/consumers/generators.md.

Needs the package registries, Node.js with npm, and Maven with a JDK from 17 on; a tool that cannot
be run is told so, with the reason. Not in `make test`, as it measures what is not ours.
"""

import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from schemas.export import DIRECTORY
from tests.consumers.generators import tools
from tests.consumers.generators.comparing import Tally, compare
from tests.consumers.generators.documents import Document, documents, with_a_new_field
from tests.consumers.generators.tools import Answers, Bench

PAGE: Final = Path(__file__).parents[3] / "docs/consumers/generators.md"
BEGIN: Final = "<!-- measured: python -m tests.consumers.generators -->\n"
END: Final = "<!-- end -->\n"
HEAD: Final = (
    "generator",
    "makes",
    "set",
    "read",
    "integers",
    "amounts",
    "null",
    "a new field",
    "`epoch` is",
    "`exposure` is",
)
_LETTERS: Final = 110
"""How much of a refusal a cell has room for."""


class Way(msgspec.Struct, frozen=True):
    """A generator, what it makes, what is set to have it so, and how that is done."""

    name: str
    makes: str
    given: str
    run: Callable[[Bench], Answers]


WAYS: Final = (
    Way(
        f"datamodel-code-generator {tools.CODEGEN}",
        "Python, pydantic",
        "`--output-model-type pydantic_v2.BaseModel`",
        lambda bench: tools.codegen(bench, "pydantic_v2.BaseModel"),
    ),
    Way(
        f"datamodel-code-generator {tools.CODEGEN}",
        "Python, msgspec",
        "`--output-model-type msgspec.Struct`",
        lambda bench: tools.codegen(bench, "msgspec.Struct"),
    ),
    Way(
        f"json-schema-to-typescript {tools.JSON2TS}",
        "TypeScript",
        "nothing; read by `JSON.parse`",
        lambda bench: tools.json2ts(bench, "plain"),
    ),
    Way(
        f"json-schema-to-typescript {tools.JSON2TS}",
        "TypeScript",
        "nothing; read by lossless-json's `parse` with `parseNumberAndBigInt`",
        lambda bench: tools.json2ts(bench, "lossless"),
    ),
    Way(
        f"quicktype {tools.QUICKTYPE}",
        "TypeScript",
        "`--src-lang schema`",
        lambda bench: tools.quicktype(bench, "typescript"),
    ),
    Way(
        f"quicktype {tools.QUICKTYPE}",
        "Java, Jackson",
        "`--src-lang schema`, a `--package` for each schema",
        lambda bench: tools.quicktype(bench, "java"),
    ),
    Way(
        f"Modelina {tools.MODELINA}",
        "TypeScript",
        "nothing",
        lambda bench: tools.modelina(bench, "typescript", tools.OWN),
    ),
    Way(
        f"Modelina {tools.MODELINA}",
        "TypeScript",
        '`$schema` says draft-07; classes, `marshalling`, `mapType: "record"`',
        lambda bench: tools.modelina(bench, "typescript", tools.DRAFT_7),
    ),
    Way(
        f"Modelina {tools.MODELINA}",
        "Java, Jackson",
        "`$schema` says draft-07",
        lambda bench: tools.modelina(bench, "java", tools.DRAFT_7),
    ),
    Way(
        f"Modelina {tools.MODELINA}",
        "Java, Jackson",
        "plain_schemas.py before",
        lambda bench: tools.modelina(bench, "java", tools.OWN, plain=True),
    ),
    Way(
        f"jsonschema2pojo {tools.POJO}",
        "Java, Jackson",
        "nothing",
        lambda bench: tools.pojo(bench, titles=False, plain=False),
    ),
    Way(
        f"jsonschema2pojo {tools.POJO}",
        "Java, Jackson",
        "plain_schemas.py before; `useTitleAsClassname`",
        lambda bench: tools.pojo(bench, titles=True, plain=True),
    ),
)


def measured(
    way: Way, bench: Bench, asked: Sequence[Document], newer: Sequence[Document]
) -> tuple[str, ...]:
    """A row of the table."""
    begins = (way.name, way.makes, way.given)
    try:
        answers = way.run(bench)
    except (tools.Missing, tools.Refused) as why:
        verb = "not run" if isinstance(why, tools.Missing) else "**refuses**"
        told = " ".join(str(why).replace("|", "\\|").split())
        return (*begins, f"{verb}: {told[:_LETTERS]}", *[""] * (len(HEAD) - len(begins) - 1))
    found = compare([value for _, value in asked], answers.lines[: len(asked)])
    new = compare([value for _, value in newer], answers.lines[len(asked) :])
    code = answers.code["balances.v1"]
    return (
        *begins,
        _read(found),
        _came(found.integers),
        _came(found.amounts),
        _null(found),
        "passed by" if new.read == new.documents else f"**refuses** ({new.refusals[0][:_LETTERS]})",
        declared("epoch", code),
        declared("exposure", code),
    )


def _read(found: Tally) -> str:
    if found.read == found.documents:
        return "all" if _is_whole(found.others) else "all, other texts changed"
    return f"**{found.read} of {found.documents}**: {found.refusals[0][:_LETTERS]}"


def _is_whole(counts: list[int]) -> bool:
    return counts[0] == counts[1]


def _came(counts: list[int]) -> str:
    same, of = counts
    return "exact" if same == of else f"**rounded**: {of - same} of {of}"


def _null(found: Tally) -> str:
    if found.became:
        return f"**{', '.join(dict.fromkeys(found.became))}**"
    return "null" if _is_whole(found.nulls) else "left out"


def declared(name: str, code: str) -> str:
    """As what a field is declared in generated code, each way of it once."""
    # In Java `private TYPE NAME;`, elsewhere `NAME: TYPE`, with a `;` in TypeScript.
    found = re.findall(rf"^\s+private (\S+) {name};$", code, re.MULTILINE) or re.findall(
        rf"^\s+(?:private _)?{name}\??: +([^;(\n]+)", code, re.MULTILINE
    )
    # Python's Annotated and Pydantic's constraints say more than a type.
    words = (one.replace("Annotated[", "").split(",")[0].strip() for one in found)
    return ", ".join(f"`{word}`" for word in dict.fromkeys(words)).replace("|", "\\|")


def main() -> None:
    """Measure, and write the page's table anew."""
    asked = documents()
    newer = with_a_new_field(asked)
    lines = [f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
    with tempfile.TemporaryDirectory() as place:
        bench = Bench(Path(place), DIRECTORY, [*asked, *newer])
        for way in WAYS:
            row = f"| {' | '.join(measured(way, bench, asked, newer))} |"
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()
            lines.append(row)
    text = PAGE.read_text("utf-8")
    new = BEGIN + "\n" + "\n".join(lines) + "\n\n" + END
    PAGE.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: new, text, flags=re.DOTALL), "utf-8")


if __name__ == "__main__":
    main()
