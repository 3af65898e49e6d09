"""Installing with a C compiler and without; and what was compiled is what its stubs say."""

import ast
import importlib
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOM = "processors/compiled"
MODULE = f"{ROOM}/tiny{sysconfig.get_config_var('EXT_SUFFIX')}"
ROOMS = [ROOT / ROOM, ROOT / "producers/compiled"]
STUBS = sorted(stub for room in ROOMS for stub in room.glob("*.pyi"))
NO_COMPILER = {"CC": "/bin/false"}
WHEEL = "from hatchling.build import build_wheel; build_wheel('dist')"


class Tree:
    """A project with our packaging, and one small module to compile."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("hatch_build.py", "pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, root)
        (root / ROOM).mkdir(parents=True)
        for path in ("processors/__init__.py", f"{ROOM}/__init__.py", f"{ROOM}/tiny.pyi"):
            (root / path).touch()
        self.source = root / ROOM / "tiny.pyx"
        self.source.write_text("def one():\n    return 1\n")
        self.module = root / MODULE

    def run(self, *words: str, **settings: str) -> str:
        """Python's standard error, here; it must not fail."""
        done = subprocess.run(
            [sys.executable, *words],
            cwd=self.root,
            env=os.environ | settings,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    def wheel(self) -> tuple[str, list[str]]:
        """The wheel's name and what it holds of the room."""
        (path,) = self.root.glob("dist/*.whl")
        with zipfile.ZipFile(path) as wheel:
            return path.name, [name for name in wheel.namelist() if name.startswith(ROOM)]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


@pytest.fixture(scope="session")
def with_compiler(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A tree whose wheel was built with a compiler; skips where there is none."""
    tree = Tree(tmp_path_factory.mktemp("compiled"))
    said = tree.run("-c", WHEEL)
    if not tree.module.exists():
        pytest.skip(f"nothing can be compiled here: {said}")
    return tree


def test_without_a_compiler_a_wheel_is_pure_and_says_what_is_missing(tree: Tree) -> None:
    said = tree.run("-c", WHEEL, **NO_COMPILER)
    name, names = tree.wheel()
    assert name.endswith("-py3-none-any.whl")
    assert names == [f"{ROOM}/__init__.py", f"{ROOM}/tiny.pyi"]
    (line,) = [line for line in said.splitlines() if line.startswith(f"{ROOM} is not compiled")]
    assert "apt install gcc python3-dev" in line


def test_with_a_compiler_a_wheel_is_of_a_platform_and_holds_modules_and_stubs(
    with_compiler: Tree,
) -> None:
    name, names = with_compiler.wheel()
    assert not name.endswith("-none-any.whl")
    assert sorted(names) == sorted([f"{ROOM}/__init__.py", MODULE, f"{ROOM}/tiny.pyi"])


def test_without_cython_an_install_goes_on(tree: Tree) -> None:
    said = tree.run("-c", f"import sys; sys.modules['Cython'] = None; {WHEEL}")
    assert "Cython" in said
    assert tree.wheel()[0].endswith("-none-any.whl")


@pytest.mark.parametrize("newer", ["tiny.pyx", "shared.pxd"])
def test_what_older_sources_became_stays_for_no_python(tree: Tree, newer: str) -> None:
    modules = [tree.module, tree.module.with_name("tiny.cpython-399-anything.so")]
    for module in modules:
        module.touch()
        os.utime(module, (1, 1))
    for source in tree.root.rglob("*.p*"):
        os.utime(source, (0, 0))
    os.utime(tree.root / "hatch_build.py", (0, 0))
    (tree.root / ROOM / newer).touch()
    tree.run("hatch_build.py", **NO_COMPILER)
    assert [module for module in modules if module.exists()] == []


def test_a_module_whose_source_is_gone_does_not_stay(tree: Tree) -> None:
    for name in (MODULE, MODULE.replace("tiny", "orphan")):
        (tree.root / name).touch()
    tree.run("hatch_build.py", **NO_COMPILER)
    assert list((tree.root / ROOM).glob("*.so")) == [tree.module]


def test_what_is_newer_than_its_sources_is_not_compiled_again(tree: Tree) -> None:
    tree.module.touch()
    assert tree.run("hatch_build.py", **NO_COMPILER) == ""
    assert tree.module.exists()


def test_either_all_modules_are_there_or_none(tree: Tree) -> None:
    tree.module.touch()
    (tree.root / ROOM / "wrong.pyx").write_text("def (:\n")
    said = tree.run("hatch_build.py")
    assert f"{ROOM} is not compiled" in said
    assert not tree.module.exists()


@pytest.mark.usefixtures("with_compiler")
@pytest.mark.parametrize("stub", STUBS, ids=lambda stub: f"{stub.parts[-3]}-{stub.stem}")
def test_all_that_a_stub_names_is_compiled(stub: Path) -> None:
    """Where a compiler is there, all must be compiled: `python hatch_build.py` does it."""
    module = importlib.import_module(f"{stub.parts[-3]}.compiled.{stub.stem}")
    assert Path(str(module.__file__)).suffix == ".so"
    for name in names_in(stub):
        found: object = module
        for part in name.split("."):
            assert hasattr(found, part), name
            found = getattr(found, part)


def names_in(stub: Path) -> list[str]:
    """What a stub names; nothing of a module that other modules call in C alone."""
    return list(named(ast.parse(stub.read_text("utf-8")).body))


def named(body: list[ast.stmt], within: str = "") -> list[str]:
    """What is defined there, by dotted name."""
    names = []
    for node in body:
        if isinstance(node, ast.ClassDef):
            names += [within + node.name, *named(node.body, f"{within}{node.name}.")]
        elif isinstance(node, ast.FunctionDef):
            names.append(within + node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.append(within + node.target.id)
    return names


def test_every_compiled_source_has_its_stub() -> None:
    sources = [source for room in ROOMS for source in room.glob("*.pyx")]
    assert sorted(source.with_suffix(".pyi") for source in sources) == STUBS
    assert all(names_in(stub) for stub in STUBS)
