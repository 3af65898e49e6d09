"""How a receiver knows that a webhook is ours: signed as Standard Webhooks has it. Pure.

The signature is over the id, the time and the very bytes of the body. With several secrets each
signs, so that a receiver may change from one to the next.

Source: the Standard Webhooks specification, "Signature scheme" and "Webhook headers".
"""

import base64
import binascii
import hashlib
import hmac
from typing import Final

from schemas.secrets import Secret

PREFIX: Final = "whsec_"
KEY_BYTES_MIN: Final = 24
KEY_BYTES_MAX: Final = 64


class NoSecret(ValueError):
    """What should be a secret is none; says what is wrong, and nothing of the text."""


class Signing:
    """Signs with one key or several."""

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        self._keys = keys

    def headers(self, event_id: str, time_s: int, body: bytes) -> dict[str, str]:
        """The headers of a request: its id, its time (seconds since 1970), and what proves them."""
        name = webhook_id(event_id)
        said = b".".join((name.encode(), b"%d" % time_s, body))
        signatures = (hmac.digest(key, said, hashlib.sha256) for key in self._keys)
        return {
            "webhook-id": name,
            "webhook-timestamp": str(time_s),
            "webhook-signature": " ".join(
                f"v1,{base64.b64encode(one).decode()}" for one in signatures
            ),
        }


def webhook_id(event_id: str) -> str:
    """An identity (`ce_id`) as a webhook's: full stops part what is signed, so none is in it.

    `%2E` stands for one, and for nothing else: names in an identity keep theirs.
    """
    return event_id.replace(".", "%2E")


def signing_with(secret: Secret) -> Signing:
    """Who signs with a secret, or several between white space; raises `NoSecret`."""
    keys = tuple(_key(one) for one in secret.reveal().split())
    if not keys:
        raise NoSecret("is empty")
    return Signing(keys)


def _key(text: str) -> bytes:
    form = f"is {PREFIX} and base64 of {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes"
    if not text.startswith(PREFIX):
        raise NoSecret(form)
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise NoSecret(form) from None
    if not KEY_BYTES_MIN <= len(key) <= KEY_BYTES_MAX:
        raise NoSecret(form)
    return key
