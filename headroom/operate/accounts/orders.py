"""Moves of accounts: the binding and the order to give it away, in one transaction."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerFenced

from headroom.base.errors import OperatorError
from headroom.operate.accounts.bindings import Binding
from processors.ledger.moves import Withdrawal
from schemas.codec import encode
from schemas.topics import ACCOUNTS, MOVES

TRANSACTIONAL_ID: Final = "headroom-accounts"


class MovedElsewhere(OperatorError):
    """Somebody else began to move accounts at the same time."""


@contextlib.asynccontextmanager
async def ordering(kafka: Mapping[str, Any]) -> AsyncIterator[AIOKafkaProducer]:
    """Nobody else's move can come in between from here on; raises `MovedElsewhere`.

    So whoever reads the bindings within the block has read the last ones.
    """
    producer = AIOKafkaProducer(**kafka, transactional_id=TRANSACTIONAL_ID)
    await producer.start()
    try:
        yield producer
    except ProducerFenced:
        raise MovedElsewhere("somebody else moves accounts at this moment: try again") from None
    finally:
        await producer.stop()


async def order(producer: AIOKafkaProducer, moves: list[tuple[str, Binding]]) -> None:
    """Let accounts belong to other users: who has each now, and the binding that is to be."""
    async with producer.transaction():
        for user, binding in moves:
            key = binding.own.encode()
            await producer.send_and_wait(ACCOUNTS, encode(binding), key=key)
            withdrawal = Withdrawal(
                binding.venue, binding.account, user, binding.user, binding.number
            )
            await producer.send_and_wait(MOVES, encode(withdrawal), key=user.encode())
