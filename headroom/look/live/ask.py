"""A worker's figures, from its own paths: what it counts, its venues, all users together."""

import time
from collections.abc import Callable
from typing import Any, Final, Self

import msgspec
import orjson
from prometheus_client.parser import text_string_to_metric_families

from headroom.base.asking import NotYet, get, session
from headroom.look.live.scene import (
    LIMITS_SHOWN,
    HeardStatus,
    Scene,
    doubts_of,
    used_of,
    venues_of,
    with_accounts,
)
from schemas.secrets import Secret

_LATENCY: Final = "headroom_socket_to_table_seconds_bucket"


class Worker:
    """Asks one worker."""

    def __init__(
        self,
        url: str,
        *,
        token: Secret | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.url = url
        self._token = token
        self._clock_ns = clock_ns

    async def __aenter__(self) -> Self:
        self._session = session(self._token)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def look(self, elapsed_seconds: float) -> Scene:
        """The scene as this worker knows it; raises `NotAnswered` where it does not answer at all.

        What it cannot tell while tables are restored is None, and `problem` says why.
        """
        samples = await self._samples()
        scene = Scene(
            elapsed_seconds=elapsed_seconds,
            url=self.url,
            normalised=_sum(samples, "headroom_frames_normalised_total"),
            dead_letters=_sum(samples, "headroom_dead_letters_total"),
            lag=_sum(samples, "headroom_lag_records"),
        )
        try:
            feeds = await self._document("/v1/feeds")
            statuses = msgspec.convert(feeds["feeds"], list[HeardStatus])
            venues = venues_of(statuses, now_ns=self._clock_ns())
            scene = msgspec.structs.replace(scene, venues=venues)
            overview = await self._document(f"/v1/overview?limit={LIMITS_SHOWN}")
        except NotYet as error:
            return msgspec.structs.replace(scene, problem=str(error))
        return msgspec.structs.replace(
            scene,
            users=overview["users"],
            limits=used_of(overview),
            venues=with_accounts(scene.venues, overview),
            doubts=doubts_of(overview),
        )

    async def median_latency_seconds(self) -> float | None:
        """The median time from socket to table; None without frames.

        It is the upper bound of the histogram's bucket in which the median lies.
        """
        buckets = {
            float(labels["le"]): value
            for name, labels, value in await self._samples()
            if name == _LATENCY
        }
        total = max(buckets.values(), default=0.0)
        return next(
            (le for le, count in sorted(buckets.items()) if total and count >= total / 2), None
        )

    async def _samples(self) -> list[tuple[str, dict[str, str], float]]:
        text = (await get(self._session, self.url, "/metrics")).decode()
        return [
            (sample.name, sample.labels, sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ]

    async def _document(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        return orjson.loads(await get(self._session, self.url, path))


def _sum(samples: list[tuple[str, dict[str, str], float]], name: str) -> int:
    return int(sum(value for found, _, value in samples if found == name))
