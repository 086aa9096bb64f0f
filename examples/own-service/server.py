#!/usr/bin/env python3
"""A small HTTP server on asyncio alone, whose shutdown can be chosen.

    python3 server.py HOST PORT exit|finish|linger

Every request takes 50 ms. On SIGTERM `exit` ends at once, as a program without a handler does; `finish` accepts no
further connection, answers what it has, says `Connection: close`, and ends then. `linger` serves for three seconds more
and says at /healthz that it is going, so that the balancer has the time to notice; then it does as `finish`.
"""

import asyncio
import os
import signal
import sys

WORK = 0.05
LINGER = 3
VERSION = os.environ.get("VERSION", "none")


class Server:
    def __init__(self):
        self.in_hand = 0
        self.going = asyncio.Event()
        self.ending = asyncio.Event()

    async def serve(self, reader, writer):
        try:
            while not self.ending.is_set():
                head = asyncio.ensure_future(reader.readuntil(b"\r\n\r\n"))
                ending = asyncio.ensure_future(self.ending.wait())
                await asyncio.wait({head, ending}, return_when=asyncio.FIRST_COMPLETED)
                ending.cancel()
                if not head.done():
                    # Idle: whoever uses this connection again finds it closed, so it stays open for a moment longer.
                    try:
                        await asyncio.wait_for(head, 0.2)
                    except asyncio.TimeoutError:
                        return
                await self.answer(head.result(), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, head, writer):
        path = head.split(b" ", 2)[1]
        self.in_hand += 1
        try:
            if path != b"/healthz":
                await asyncio.sleep(WORK)
            body = b"ok\n"
            connection = "close" if self.ending.is_set() else "keep-alive"
            status = "503 Going" if path == b"/healthz" and self.going.is_set() else "200 OK"
            lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", f"X-Version: {VERSION}", f"Connection: {connection}"]
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
            await writer.drain()
        finally:
            self.in_hand -= 1


async def main(host, port, on_term):
    server = Server()
    listener = await asyncio.start_server(server.serve, host, int(port))
    loop = asyncio.get_running_loop()
    if on_term == "exit":
        # Said by name: the first process of a container ignores signals without a handler.
        loop.add_signal_handler(signal.SIGTERM, os._exit, 128 + signal.SIGTERM)
        await listener.serve_forever()
    loop.add_signal_handler(signal.SIGTERM, server.going.set)
    await server.going.wait()
    if on_term == "linger":
        await asyncio.sleep(LINGER)
    server.ending.set()
    listener.close()
    await asyncio.sleep(0.25)
    while server.in_hand:
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
