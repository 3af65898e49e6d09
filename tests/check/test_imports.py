"""What a command does not need it does not wait for: Faust takes half a second to be imported."""

import subprocess
import sys

LOOKING = (
    "headroom.operate.accounts.move",
    "headroom.operate.deadletters.run",
    "headroom.look.live.show",
    "headroom.look.query",
    "headroom.operate.seek",
    "headroom.operate.topics.survey",
    "headroom.run.venue.commands",
)


def test_commands_that_only_look_at_kafka_do_not_wait_for_faust() -> None:
    code = f"import sys, {', '.join(LOOKING)}; print('faust.types' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
