"""From a number back to the venue's own bytes."""

from headroom.look.explain.run import explain_asset, explain_user

__all__ = ["explain_asset", "explain_user"]
