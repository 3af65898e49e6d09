"""The generators: how each is brought, run, and its types are asked to read."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from tests.consumers.generators.documents import Document

PEERS: Final = Path(__file__).parents[1] / "peers/generators"
PLAIN: Final = Path(__file__).parents[3] / "docs/consumers/plain_schemas.py"
SECONDS: Final = 300.0
"""How long any one program may take."""
DRAFT_7: Final = "http://json-schema.org/draft-07/schema#"
OWN: Final = "own"

CODEGEN: Final = "0.89.0"
PYTHON: Final = (f"datamodel-code-generator=={CODEGEN}", "pydantic==2.14.4", "msgspec==0.22.0")
QUICKTYPE: Final = "26.0.0"
JSON2TS: Final = "16.0.0"
MODELINA: Final = "5.10.1"
NPM: Final = (
    f"quicktype@{QUICKTYPE}",
    f"json-schema-to-typescript@{JSON2TS}",
    f"@asyncapi/modelina@{MODELINA}",
    "typescript@5.9.3",
    "@types/node@20.19.43",
    "lossless-json@4.3.3",
)
POJO: Final = "1.3.3"
JACKSON: Final = "2.23.0"


class Missing(Exception):
    """What a tool needs is not on this machine."""


class Refused(Exception):
    """A tool, or what it made, does not work on our schemas; the words are its own."""


class Answers(msgspec.Struct, frozen=True):
    """A line for each document, and the code that was made, by the schema's topic."""

    lines: list[str]
    code: dict[str, str]


class Bench:
    """A folder for all of it, with the schemas; what several tools need is there once."""

    def __init__(self, place: Path, schemas: Path, documents: Sequence[Document]) -> None:
        self.place = place
        self.schemas = place / "schemas"
        shutil.copytree(schemas, self.schemas)
        self.topics = sorted(
            path.name.removesuffix(".schema.json") for path in self.schemas.glob("*.schema.json")
        )
        self.text = "".join(f"{topic}\t{value.decode()}\n" for topic, value in documents)
        self._brought: dict[str, Path] = {}

    def title(self, topic: str) -> str:
        """What a schema calls its document."""
        return str(json.loads(self.schema(topic).read_bytes())["title"])

    def schema(self, topic: str) -> Path:
        """Where a topic's schema lies."""
        return self.schemas / f"{topic}.schema.json"

    def folder(self, name: str, *, plain: bool = False) -> Path:
        """A new one, in which the schemas are, too; `plain` as docs/consumers makes them."""
        found = self.place / name
        shutil.copytree(self.schemas, found)
        if plain:
            _run(sys.executable, PLAIN, found)
        return found

    def bring(self, name: str, make: Callable[[Path], None]) -> Path:
        """A folder that `make` has filled, once."""
        if name not in self._brought:
            folder = self.place / name
            folder.mkdir()
            make(folder)
            self._brought[name] = folder
        return self._brought[name]


def _run(*words: str | Path, cwd: Path | None = None, text: str = "") -> str:
    """What a program prints; raises Refused where it does not end well, Missing without it."""
    if shutil.which(str(words[0])) is None:
        raise Missing(f"no {words[0]} here")
    environment = {**os.environ, "NO_COLOR": "1", "NODE_NO_WARNINGS": "1"}
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        raise Refused(f"took more than {SECONDS:.0f} s") from None
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        told = next((line for line in lines if "error" in line.lower()), lines[0] if lines else "")
        raise Refused(told.replace(f"{cwd}/", "").strip())
    return done.stdout


def _package(topic: str) -> str:
    return topic.replace(".", "_")


def _text(sources: Iterable[Path]) -> str:
    return "".join(path.read_text("utf-8") for path in sorted(sources))


# ---- Python


def _python(folder: Path) -> None:
    _run(sys.executable, "-m", "venv", folder)
    pip = (folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _run(*pip, *PYTHON)


def codegen(bench: Bench, kind: str, *words: str) -> Answers:
    """Types of this kind by datamodel-code-generator."""
    python = bench.bring("python", _python) / "bin/python"
    made = bench.folder(f"codegen-{kind}")
    code = {}
    for topic in bench.topics:
        out = made / f"{_package(topic)}.py"
        options = ("--input-file-type", "jsonschema", "--output-model-type", kind, *words)
        generator = (python, "-W", "ignore", "-m", "datamodel_code_generator")
        _run(*generator, "--input", bench.schema(topic), *options, "--output", out)
        code[topic] = out.read_text("utf-8")
    lines = _run(python, PEERS / "read.py", made, kind, text=bench.text)
    return Answers(lines.splitlines(), code)


# ---- JavaScript


def _npm(folder: Path) -> None:
    (folder / "package.json").write_text('{"private": true}', "utf-8")
    options = ("--silent", "--no-audit", "--no-fund", "--ignore-scripts")
    _run("npm", "install", *options, *NPM, cwd=folder)
    for name in ("read.js", "modelina.js"):
        shutil.copy(PEERS / name, folder)


def _node(bench: Bench, kind: str, made: Path) -> list[str]:
    home = bench.bring("npm", _npm)
    return _run("node", home / "read.js", kind, made, text=bench.text).splitlines()


def _compile(bench: Bench, *files: Path, out: Path | None = None) -> None:
    """TypeScript, strictly; without `out` only looked at."""
    home = bench.bring("npm", _npm)
    there = ("--outDir", out) if out else ("--noEmit",)
    options = ("--strict", "--target", "es2022", "--module", "commonjs", "--types", "node")
    roots = ("--typeRoots", home / "node_modules/@types")
    _run(home / "node_modules/.bin/tsc", *options, *roots, *there, *files, cwd=bench.place)


def quicktype(bench: Bench, language: str) -> Answers:
    """Types, and what reads them, by quicktype."""
    home = bench.bring("npm", _npm)
    made = bench.folder(f"quicktype-{language}")
    ending = {"typescript": "ts", "java": "java"}[language]
    code = {}
    for topic in bench.topics:
        package = _package(topic)
        (made / "java" / package).mkdir(parents=True)
        out = made / (f"java/{package}/Document.java" if language == "java" else f"{package}.ts")
        options = ["--src-lang", "schema", "--lang", language, "--top-level", "Document"]
        options += ["--package", package] if language == "java" else []
        program = home / "node_modules/.bin/quicktype"
        _run(program, "--telemetry", "disable", *options, "--out", out, bench.schema(topic))
        sources = out.parent.glob("*.java") if language == "java" else [out]
        code[topic] = _text(sources)
    if language == "java":
        return Answers(_java(bench, made, lambda topic: f"{_package(topic)}.Document"), code)
    _compile(bench, *made.glob(f"*.{ending}"), out=made / "made")
    return Answers(_node(bench, "quicktype", made), code)


def json2ts(bench: Bench, reader: str) -> Answers:
    """Types by json-schema-to-typescript: every document is held against them as it stands."""
    home = bench.bring("npm", _npm)
    made = bench.folder(f"json2ts-{reader}")
    code, checked = {}, []
    for topic in bench.topics:
        out = made / f"{_package(topic)}.ts"
        _run(home / "node_modules/.bin/json2ts", bench.schema(topic), out)
        code[topic] = out.read_text("utf-8")
        title = bench.title(topic)
        head = f"import {{ {title} }} from './{_package(topic)}';\n"
        pairs = (line.split("\t") for line in bench.text.splitlines())
        values = [value for name, value in pairs if name == topic]
        check = made / f"check_{_package(topic)}.ts"
        declared = "".join(f"export const n{i}: {title} = {v};\n" for i, v in enumerate(values))
        check.write_text(head + declared, "utf-8")
        checked.append(check)
    _compile(bench, *checked)
    return Answers(_node(bench, reader, made), code)


def modelina(bench: Bench, language: str, dialect: str, *, plain: bool = False) -> Answers:
    """Types by Modelina, for which the schemas may say that they are of another dialect."""
    home = bench.bring("npm", _npm)
    said = "own" if dialect == OWN else "other"
    made = bench.folder(f"modelina-{language}-{said}-{plain}", plain=plain)
    out = made / ("java" if language == "java" else "source")
    _run("node", home / "modelina.js", language, dialect, made, out)
    ending = "java" if language == "java" else "ts"
    code = {topic: _text((out / _package(topic)).glob(f"*.{ending}")) for topic in bench.topics}
    if language == "java":
        lines = _java(bench, made, lambda topic: f"{_package(topic)}.{bench.title(topic)}")
        return Answers(lines, code)
    _compile(bench, *out.rglob("*.ts"), out=made / "made")
    return Answers(_node(bench, "modelina", made), code)


# ---- Java


def _maven(folder: Path, *, titles: bool = False, goals: Iterable[str]) -> None:
    shutil.copy(PEERS / "pom.xml", folder)
    versions = (f"-Djackson={JACKSON}", f"-Djsonschema2pojo={POJO}")
    options = ("-q", "-B", "-Dstyle.color=never", f"-Dtitles={str(titles).lower()}", *versions)
    _run("mvn", *options, *goals, cwd=folder)


def _jars(folder: Path) -> None:
    _maven(folder, goals=("dependency:copy-dependencies", "-DoutputDirectory=lib"))


def pojo(bench: Bench, *, titles: bool, plain: bool) -> Answers:
    """Types by jsonschema2pojo, by its Maven plugin: a package for each schema."""
    made = bench.folder(f"pojo-{titles}-{plain}", plain=plain)
    for topic in bench.topics:
        folder = made / "sources" / _package(topic)
        folder.mkdir(parents=True)
        shutil.copy(made / bench.schema(topic).name, folder)
    _maven(made, titles=titles, goals=("jsonschema2pojo:generate",))
    code, names = {}, {}
    for topic in bench.topics:
        code[topic] = _text((made / "java/made" / _package(topic)).glob("*.java"))
        told = "".join(word.capitalize() for word in topic.split("."))
        names[topic] = bench.title(topic) if titles else f"{told}Schema"
    lines = _java(bench, made, lambda topic: f"made.{_package(topic)}.{names[topic]}")
    return Answers(lines, code)


def _java(bench: Bench, made: Path, name: Callable[[str], str]) -> list[str]:
    """Compile what lies in `java`, and have it read; `name` is a topic's class."""
    lib = bench.bring("java", _jars) / "lib"
    classes = made / "classes"
    sources = [*(made / "java").rglob("*.java"), PEERS / "Read.java"]
    compiler = ("javac", "-encoding", "UTF-8", "-nowarn", "-proc:none", "-cp", f"{lib}/*")
    _run(*compiler, "-d", classes, *sources, cwd=made)
    words = [f"{topic}={name(topic)}" for topic in bench.topics]
    class_path = f"{classes}{os.pathsep}{lib}/*"
    return _run("java", "-cp", class_path, "Read", *words, text=bench.text).splitlines()
