"""Frames into a raw topic in transactions: whoever begins fences the one before, for good.

A client with a transactional id (here: a lease's name) may write until another one with the same
id begins; what it sends after that, Kafka refuses, however long it was suspended. So of two
producers of a lease one writes, whatever either of them believes.

The frames of a few milliseconds are a transaction. While one is committed, the next ones wait in
the spool. A frame is delivered once its transaction is committed; what was aborted is sent again.

Source: KIP-98 (transactional ids, epochs), librdkafka's INTRODUCTION.md, "Transactional Producer".
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from producers.outcomes import excerpt
from producers.sink import SENDING, TOO_LARGE, Delivered, end, librdkafka_log
from schemas.headers import Headers

TRANSACTION_SECONDS_MAX: Final = 10.0
"""What a killed producer leaves open keeps readers back for so long, where none takes over."""
RECORDS_MAX: Final = 10_000
_TOGETHER_SECONDS: Final = 0.001
_CALL_SECONDS: Final = 1.0
_CHOICE: Final = -1
TRANSACTING: Final[Mapping[str, Any]] = {
    **SENDING,
    # A transaction is written as a whole or not at all.
    "enable.gapless.guarantee": False,
    "transaction.timeout.ms": int(TRANSACTION_SECONDS_MAX * 1_000),
    "message.timeout.ms": int(TRANSACTION_SECONDS_MAX * 1_000),
    "socket.timeout.ms": 8_000,
    "request.timeout.ms": 8_000,
    # The one before is just being ended: a moment later it is.
    "retry.backoff.ms": 5,
}


class FencedSink:
    """A client for one topic, as `producers.sink.Sink`; `send` and `poll` belong to one thread.

    Another thread begins and commits; `done` is called there when something may be sent again, or
    was delivered. `fenced` once it is broken: another client may have begun under the same id.
    """

    def __init__(
        self,
        properties: Mapping[str, Any],
        topic: str,
        name: str,
        *,
        singly: bool = False,
        done: Callable[[], object] = lambda: None,
    ) -> None:
        self._topic = topic
        self._most = 1 if singly else RECORDS_MAX
        self._done = done
        self._client: Any = Producer(
            {**properties, **TRANSACTING, "transactional.id": name}, logger=librdkafka_log
        )
        self._lock = threading.Lock()
        self._takes = False
        self._open: list[Delivered] = []
        self._committed: deque[list[Delivered]] = deque()
        self._filled = threading.Event()
        self._began = threading.Event()
        self._closed = False
        self._error: Any = None
        self.broken: str | None = None
        self.too_large = False
        self.fenced = False
        threading.Thread(target=self._run, name="transactions", daemon=True).start()

    def began(self, seconds: float) -> bool:
        """Wait until all before are fenced; whether they are."""
        return self._began.wait(seconds) and self.broken is None

    def send(self, key: bytes | None, value: bytes, headers: Headers, delivered: Delivered) -> bool:
        """Hand a record over, without waiting; False where it has to be tried again later."""
        with self._lock:
            if not self._takes or len(self._open) >= self._most:
                return False
            try:
                if not self._open:
                    self._client.begin_transaction()
                self._client.produce(self._topic, value, key, _CHOICE, None, None, 0, headers)
            except BufferError:
                return False
            except KafkaException as error:
                self.failed(error.args[0])
                return False
            self._open.append(delivered)
        self._filled.set()
        return True

    def poll(self, seconds: float = 0.0) -> None:
        """Call `delivered` of what was committed."""
        if seconds and not self._committed:
            time.sleep(seconds)
        while self._committed:
            for delivered in self._committed.popleft():
                delivered(None, None)

    def failed(self, error: Any) -> None:  # noqa: ANN401 - librdkafka has no types
        """A transaction failed: this client is of no more use."""
        self._takes = False
        # Who was fenced is not always told so ("Fatal error"). Whoever begins anew fences others:
        # that is for those alone who know that nobody else is to write.
        self.fenced = True
        self.too_large |= error.code() == KafkaError.MSG_SIZE_TOO_LARGE or TOO_LARGE in error.str()
        if self.broken is None:
            self.broken = excerpt(error.str())

    def close(self) -> None:
        """Let go of it; what it had in hand is not committed."""
        self._closed = True
        self._filled.set()

    # -- the thread

    def _run(self) -> None:
        try:
            self._patiently(self._client.init_transactions)
            self._takes = True
            self._began.set()
            self._done()
            while not self._closed:
                self._filled.wait()
                time.sleep(_TOGETHER_SECONDS)
                self._commit()
        except KafkaException as error:
            with self._lock:
                self.failed(error.args[0])
            self._began.set()
            self._done()
        finally:
            client, self._client = self._client, None
            end(client)

    def _commit(self) -> None:
        with self._lock:
            self._filled.clear()
            batch, self._open = self._open, []
            if not batch or self.broken is not None:
                return
            self._takes = False
        self._patiently(self._client.commit_transaction)
        self._committed.append(batch)
        with self._lock:
            self._takes = self.broken is None
        self._done()

    def _patiently(self, act: Callable[[float], object]) -> None:
        """Do what may have to be asked for again, until it is done or can never be."""
        while not self._closed:
            try:
                act(_CALL_SECONDS)
            except KafkaException as error:
                if not error.args[0].retriable():
                    raise
                continue
            return
