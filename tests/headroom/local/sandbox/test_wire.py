"""How a connection dies: with RST, and not before what was sent has arrived."""

import asyncio
import socket

from headroom.local.sandbox.wire import key_reason, reset_once_delivered

MIB = 1024 * 1024


async def test_a_connection_is_reset_once_the_peer_has_everything():
    """The client begins to read when the venue begins to wait, and still gets it all."""
    loop = asyncio.get_running_loop()
    connected = loop.create_future()
    server = await asyncio.start_server(
        lambda _, writer: connected.set_result(writer), "127.0.0.1", 0
    )
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        client.setblocking(False)
        await loop.sock_connect(client, server.sockets[0].getsockname())
        writer = await connected
        writer.write(b"x" * 8 * MIB)
        assert writer.transport.get_write_buffer_size()
        read, died = 0, None

        async def drink():
            nonlocal read, died
            try:
                while data := await loop.sock_recv(client, MIB):
                    read += len(data)
            except ConnectionResetError as error:
                died = error

        drinking = None

        async def sleep(_seconds):
            nonlocal drinking
            drinking = drinking or asyncio.create_task(drink())
            await asyncio.sleep(0.001 if read < 8 * MIB else 0)

        await reset_once_delivered(writer.transport, sleep)
        await drinking
    assert read == 8 * MIB
    assert died is not None
    server.close()
    await server.wait_closed()


async def test_a_peer_that_does_not_read_is_not_waited_for_without_end():
    """The looks are counted, so that a venue cannot be held up."""
    loop = asyncio.get_running_loop()
    connected = loop.create_future()
    server = await asyncio.start_server(
        lambda _, writer: connected.set_result(writer), "127.0.0.1", 0
    )
    looks = 0

    async def sleep(_seconds):
        nonlocal looks
        looks += 1

    with socket.socket() as client:
        client.setblocking(False)
        await loop.sock_connect(client, server.sockets[0].getsockname())
        writer = await connected
        writer.write(b"x" * 32 * MIB)
        await reset_once_delivered(writer.transport, sleep)
    assert 10 < looks < 1_000
    assert writer.transport.is_closing()
    server.close()
    await server.wait_closed()


def test_the_reason_of_a_close_has_at_most_123_bytes():
    """However long the key is: RFC 6455 allows no more."""
    assert key_reason("k") == "api key k has expired"
    assert len(key_reason("k" * 200).encode()) == 123
