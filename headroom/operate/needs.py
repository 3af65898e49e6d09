"""What a worker needs of its settings and files, looked at before it starts: all of it."""

from headroom.base.mistakes import Mistakes
from headroom.base.settings import Settings
from headroom.operate.accounts.file import read_accounts
from headroom.operate.alerts.file import load_rules
from headroom.operate.tokens import access_of, read, worker_token_of


def look_at(settings: Settings, mistakes: Mistakes) -> None:
    """Note whatever would keep a worker of these settings from starting; nobody is connected to."""
    mistakes.of(settings.kafka.arguments)
    look_at_tokens(settings, mistakes)
    mistakes.of(lambda: read_accounts(settings.accounts_file))
    mistakes.of(lambda: load_rules(settings.alerts_file))


def look_at_tokens(settings: Settings, mistakes: Mistakes) -> None:
    """Note what is wrong with where a worker listens, and with whom it lets in."""
    mistakes.of(settings.check_listening)
    if settings.api_tokens_file is None and settings.jwt is None:
        return
    if (path := settings.api_tokens_file) is not None:
        mistakes.of(lambda: read(path))
    mistakes.of(lambda: worker_token_of(settings))
    mistakes.of(lambda: access_of(settings))
