"""The virtual clock: jumps where the loop would sleep, waits where something real is going on."""

import asyncio
import socket
import threading
import time

import pytest

from mitherm.virtual.clock import run_virtual


def test_sleeping_costs_nothing() -> None:
    """A day passes at once and exactly."""

    async def day() -> float:
        await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    start = time.perf_counter()
    assert run_virtual(day()) == pytest.approx(86_400)
    assert time.perf_counter() - start < 1


def test_timers_fire_in_order_at_their_time() -> None:
    """Each timer sees its own moment, also when set out of order."""

    async def timers() -> list[float]:
        loop, fired = asyncio.get_running_loop(), []
        for seconds in (3.5, 0.25, 2.0):
            loop.call_later(seconds, lambda: fired.append(loop.time()))
        await asyncio.sleep(10)
        return fired

    assert run_virtual(timers()) == pytest.approx([0.25, 2.0, 3.5])


def test_time_outs_are_simulated() -> None:
    """`asyncio.timeout` ends after simulated seconds."""

    async def wait() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.get_running_loop().create_future()
        return asyncio.get_running_loop().time()

    assert run_virtual(wait()) == pytest.approx(30)


def test_the_clock_waits_for_a_thread() -> None:
    """A time-out of a millisecond around a job that takes ten is not reached."""

    async def work() -> str:
        async with asyncio.timeout(0.001):
            return await asyncio.to_thread(lambda: threading.Event().wait(0.01) or "done")

    assert run_virtual(work()) == "done"


def test_a_foreign_thread_can_wake_an_idle_loop() -> None:
    """With nothing scheduled, `call_soon_threadsafe` is heard."""

    async def wait() -> float:
        loop, future = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
        threading.Timer(0.02, loop.call_soon_threadsafe, (future.set_result, None)).start()
        await future
        return loop.time()

    assert run_virtual(wait()) == 0


def test_a_local_server_answers_before_the_time_out() -> None:
    """Open sockets get real time before the clock jumps over a deadline."""

    async def ask() -> bytes:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readexactly(1))
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0, family=socket.AF_INET)
        async with server, asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"x")
            reply = await reader.read()
            writer.close()
            await writer.wait_closed()
        return reply

    assert run_virtual(ask()) == b"x"
