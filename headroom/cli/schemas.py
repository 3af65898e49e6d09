"""The schemas of our documents, in a registry."""

import sys

import click

from headroom.base.options import load_settings
from headroom.base.running import run


@click.group(no_args_is_help=False)
def schemas() -> None:
    """The schemas of public topics, in the registry at HEADROOM_SCHEMA_REGISTRY_URL."""


@schemas.command("register")
@click.option("--dry-run", is_flag=True, help="Only say what would be done; nothing is written.")
@click.option("--json", "as_json", is_flag=True, help="Each as a JSON object.")
def register(dry_run: bool, as_json: bool) -> None:  # noqa: FBT001 - flags
    """Register each schema that is not there yet, for a release's pipeline.

    Exit status 1 where the registry refuses any, or would.
    """
    from headroom.operate.registry.release import register_all

    registry = load_settings().registry
    is_well = run(lambda _: register_all(registry, dry_run=dry_run, as_json=as_json))
    sys.exit(0 if is_well else 1)
