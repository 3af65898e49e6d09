"""Make the committed locks of jars anew: `python -m headroom.local.kafka.lock` (`make lock-kafka`).

jgo resolves; what it finds is written with SHA-256 sums, in the order of the class path and
without a time or an address, so that the same jars give the same file.
"""

import sys
import tempfile
from pathlib import Path

from jgo.env import EnvironmentBuilder, EnvironmentSpec, LockFile
from jgo.maven import MavenContext, PythonResolver

from headroom.local.kafka.jars import BROKER_LOCK, CONSOLE_LOCK, HERE


def write_lock(spec_path: Path, lock_path: Path) -> int:
    """Resolve a specification and write its lock; the number of jars."""
    spec = EnvironmentSpec.load(spec_path)
    with tempfile.TemporaryDirectory() as scratch:
        resolver = PythonResolver()
        context = MavenContext(repo_cache=Path(scratch), resolver=resolver)
        builder = EnvironmentBuilder(context, cache_dir=Path(scratch) / "jgo")
        direct, transitive = resolver.resolve(builder.spec_to_dependencies(spec))
        locked = LockFile.from_resolved_dependencies([*direct, *transitive]).dependencies
    lines = [f"# Made by `make lock-kafka` from {spec_path.name}, in class path order.\n"]
    for jar in locked:
        if not jar.sha256 or jar.packaging != "jar" or jar.classifier:
            sys.exit(f"cannot lock {jar}: not a plain jar that could be downloaded")
        lines.append(
            f'\n[[dependencies]]\ngroupId = "{jar.groupId}"\nartifactId = "{jar.artifactId}"\n'
            f'version = "{jar.version}"\nsha256 = "{jar.sha256}"\n'
        )
    lock_path.write_text("".join(lines), encoding="utf-8")
    return len(locked)


def main() -> None:
    """Write both locks."""
    for name, lock_path in (("jgo.toml", BROKER_LOCK), ("console.toml", CONSOLE_LOCK)):
        print(f"{lock_path.name}: {write_lock(HERE / name, lock_path)} jars")  # noqa: T201


if __name__ == "__main__":
    main()
