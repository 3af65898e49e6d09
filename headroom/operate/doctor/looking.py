"""Checks made beside each other, each with a deadline of its own: one that hangs keeps nobody."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import msgspec

from headroom.base.errors import OperatorError
from headroom.operate.doctor.findings import Finding, Looked, fail

P = ParamSpec("P")
T = TypeVar("T")


class Check(msgspec.Struct, frozen=True):
    """What is looked at; `look` may raise anything, which fails this check alone."""

    name: str
    deadline_seconds: float
    look: Callable[[], Awaitable[Sequence[Finding]]]


async def looked(checks: Sequence[Check]) -> list[Looked]:
    """All that the checks found, in their order; no later than the last deadline."""
    asyncio.get_running_loop().set_default_executor(_Left())
    found = await asyncio.gather(*map(_findings, checks))
    return [
        Looked(check.name, check.deadline_seconds, tuple(findings))
        for check, findings in zip(checks, found, strict=True)
    ]


async def _findings(check: Check) -> Sequence[Finding]:
    deadline = asyncio.timeout(check.deadline_seconds)
    try:
        async with deadline:
            return await check.look()
    except Exception as error:  # noqa: BLE001 - whatever it is, the other checks are told
        if deadline.expired():
            return [fail(f"no answer within {check.deadline_seconds:g} s", "see what hangs there")]
        return [fail(str(error) if isinstance(error, OperatorError) else _unforeseen(error))]


def _unforeseen(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


class _Left(ThreadPoolExecutor):
    """A thread for each call, which nobody waits for at the end: a disk may hang for ever."""

    def submit(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Call in a thread that ends with the process."""
        done: Future[T] = Future()

        def run() -> None:
            try:
                result = call(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - told to who waits
                done.set_exception(error)
            else:
                done.set_result(result)

        threading.Thread(target=run, daemon=True).start()
        return done

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - its own
        """Nobody is waited for."""
