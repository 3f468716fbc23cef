# Daypass: an SSH certificate authority.
# SPDX-License-Identifier: Apache-2.0

"""A server as braekhus is one, made of PyPI's websockets: it answers setClientId, sends the calls that it is given, and
misbehaves as it is told. What happens is written to a log, one JSON object a line.

    server.py LOG MODE [--subprotocol NAME | --any-subprotocol] [--tls CERTIFICATE KEY] [--send FILE]

Modes: normal; drop, garbage, masked, silent, mute, close: what happens to the first connection; refuse: 401 for the
first two; hang: connections are taken and nothing is said; join: every request gets
the bytes of --send; proxy: a proxy for CONNECT that leads every name to 127.0.0.1.
"""

import argparse
import asyncio
import json
import ssl
from http import HTTPStatus

from websockets.asyncio.server import serve

arguments = argparse.ArgumentParser()
arguments.add_argument("log")
arguments.add_argument("mode")
arguments.add_argument("--subprotocol")
arguments.add_argument("--any-subprotocol", action="store_true")
arguments.add_argument("--tls", nargs=2)
arguments.add_argument("--send")
options = arguments.parse_args()
log = open(options.log, "a", encoding="utf-8")
attempts = 0
connections = 0


def note(event, **values):
    log.write(json.dumps({"event": event, **values}) + "\n")
    log.flush()


def judge(connection, request):
    global attempts
    attempts += 1
    note("request", path=request.path, headers=dict(request.headers.raw_items()))
    if options.mode == "refuse" and attempts <= 2:
        return connection.respond(HTTPStatus.UNAUTHORIZED, '{"error":{}}')
    return None


async def misbehave(socket):
    if options.mode == "drop":
        socket.transport.abort()
    elif options.mode == "garbage":
        socket.transport.write(b"\x83\x00")
    elif options.mode == "masked":
        socket.transport.write(b"\x81\x81\x00\x00\x00\x00A")
    elif options.mode == "silent":
        socket.transport.pause_reading()
        await asyncio.sleep(3600)
    elif options.mode == "close":
        await socket.close(1012, "restart")


async def talk(socket):
    global connections
    connections += 1
    is_first = connections == 1
    note("open", number=connections, subprotocol=socket.subprotocol)
    is_known = False
    try:
        async for text in socket:
            note("message", number=connections, text=text)
            message = json.loads(text)
            if "method" not in message:
                continue
            if options.mode == "mute" and is_first:
                continue
            await socket.send(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {"ok": True}}))
            if message["method"] == "setClientId" and not is_known:
                is_known = True
                if options.send:
                    with open(options.send, encoding="utf-8") as lines:
                        for line in lines:
                            await socket.send(line.rstrip("\n"))
                if is_first:
                    await misbehave(socket)
    finally:
        note("closed", code=socket.close_code)


async def proxy(reader, writer):
    head = await reader.readuntil(b"\r\n\r\n")
    note("connect", head=head.decode())
    port = int(head.split()[1].rsplit(b":", 1)[1])
    inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

    async def copy(source, target):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
        target.close()

    await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))


async def hang(reader, writer):
    note("connect")
    await asyncio.sleep(3600)


async def join(reader, writer):
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    note("post", head=head.decode(), body=(await reader.readexactly(length)).decode())
    with open(options.send, "rb") as answer:
        writer.write(answer.read())
    await writer.drain()
    writer.close()


async def main():
    if options.mode == "join":
        server = await asyncio.start_server(join, "127.0.0.1", 0)
        note("listening", port=server.sockets[0].getsockname()[1])
        await asyncio.Future()
    if options.mode == "hang":
        server = await asyncio.start_server(hang, "127.0.0.1", 0)
        note("listening", port=server.sockets[0].getsockname()[1])
        await asyncio.Future()
    if options.mode == "proxy":
        server = await asyncio.start_server(proxy, "127.0.0.1", 0)
        note("listening", port=server.sockets[0].getsockname()[1])
        await asyncio.Future()
    tls = None
    if options.tls:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*options.tls)
    async with serve(
        talk, "127.0.0.1", 0, process_request=judge, ssl=tls, ping_interval=None, compression=None,
        subprotocols=[options.subprotocol] if options.subprotocol else None,
        # As Node's ws does when nobody says otherwise.
        select_subprotocol=(lambda _, offered: offered[0] if offered else None) if options.any_subprotocol else None,
    ) as server:
        note("listening", port=next(iter(server.sockets)).getsockname()[1])
        await asyncio.Future()


asyncio.run(main())
