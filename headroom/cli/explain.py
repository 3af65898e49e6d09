"""Where a number comes from."""

import click

from headroom.base.options import load_settings
from headroom.base.running import run


@click.command()
@click.argument("user", required=False)
@click.argument("asset", required=False)
@click.option("--asset", "of_all", metavar="ASSET", help="The total over all users, user by user.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with whole frames.")
def explain(user: str | None, asset: str | None, of_all: str | None, as_json: bool) -> None:  # noqa: FBT001 - a flag
    """Go from a number back to the venue's own bytes: USER ASSET, or --asset ASSET.

    Each hop with its place and time, the frame with the amount marked, and what the freshness rests
    on. It asks Kafka, not a worker.
    """
    from headroom.look.explain import explain_asset, explain_user

    if of_all is not None and user is None:
        settings = load_settings()
        run(lambda _: explain_asset(settings, of_all, as_json=as_json))
    elif of_all is None and user is not None and asset is not None:
        settings = load_settings()
        run(lambda _: explain_user(settings, user, asset, as_json=as_json))
    else:
        message = "say USER ASSET, or --asset ASSET"
        raise click.UsageError(message)
