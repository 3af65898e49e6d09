"""Hercle: its producer's settings, its sandbox, its part in the demo."""

from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from headroom.base.environment import Environment
from headroom.base.mistakes import Mistakes
from headroom.local.sandbox.config import HERCLE_DEFAULT_KEY, HercleConfig, hercle_keys, read_keys
from headroom.local.sandbox.hercle import HercleSandbox
from headroom.run.venue.keys import keys_again
from headroom.run.venue.module import Shown, required
from headroom.run.venue.simulated import fault_option, run_sandbox, sandbox_options
from producers import hercle
from producers.line import Lines
from producers.reach import check_reach
from schemas.secrets import Secret

_POLL_SECONDS_MAX: Final = 3_600
_SHOWN_USERS_MAX: Final = 20


def lines(environment: Environment) -> Lines:
    """The producer of Hercle; HEADROOM_HERCLE_API_KEY holds one key, or several with commas."""
    mistakes = Mistakes()
    noting = environment.noting(mistakes)
    keys, ca_file = _keys(required(noting, "HERCLE_API_KEY")), noting.text("CA_FILE")
    client_id = noting.text("HERCLE_CLIENT_ID") or "headroom"
    url = noting.text("HERCLE_URL") or hercle.HERCLE_URL
    poll_seconds = noting.number(
        "HERCLE_POLL_SECONDS", Decimal(1), Decimal, hercle.POLL_SECONDS_MIN, _POLL_SECONDS_MAX
    )
    read = mistakes.of(
        lambda: hercle.HercleSettings(
            api_keys=keys,
            client_id=client_id,
            url=url,
            ca_file=ca_file,
            poll_seconds=poll_seconds,
        )
    )
    mistakes.of(lambda: check_reach(url, ca_file))
    settings = mistakes.whole(read)

    def make(keys: Secret) -> tuple[Secret, ...]:
        return msgspec.structs.replace(settings, api_keys=_keys(keys)).api_keys

    return hercle.lines(settings, keys_again(environment, "HERCLE_API_KEY", make))


def _keys(secret: Secret) -> tuple[Secret, ...]:
    keys = secret.reveal().replace("\n", ",").split(",")
    return tuple(Secret(key.strip()) for key in keys if key.strip())


@click.command("hercle")
@click.option(
    "--keys",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file of lines `KEY USERID`, instead of derived keys.",
)
@click.option(
    "--data",
    type=click.Choice(["text", "object"]),
    default="text",
    show_default=True,
    help="How events carry their data: as text in a string, or as an object.",
)
@sandbox_options
@fault_option
def sandbox(keys: Path | None, **options: Any) -> None:  # noqa: ANN401 - the options above
    """A simulated Hercle; the users' keys are sandbox-hercle-key-0001 and on."""
    run_sandbox(
        lambda: HercleSandbox(HercleConfig(keys={} if keys is None else read_keys(keys), **options))
    )


def shown(rate_per_second: Decimal, users: int) -> Shown:
    """A tenth of the users, each with a key. Hercle sends when it is asked: that is the rate."""
    few = max(1, min(_SHOWN_USERS_MAX, users // 10))
    poll_seconds = few / rate_per_second if rate_per_second else Decimal(_POLL_SECONDS_MAX)
    return Shown(
        ("--rate", str(rate_per_second), "--users", str(few)),
        {
            "HEADROOM_HERCLE_API_KEY": ",".join(hercle_keys(HERCLE_DEFAULT_KEY, few)),
            "HEADROOM_HERCLE_POLL_SECONDS": f"{max(hercle.POLL_SECONDS_MIN, poll_seconds):.3f}",
        },
    )
