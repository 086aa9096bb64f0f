"""A program that answers in 50 to 150 ms with its version in a header, and stops at once when it is told to."""

import asyncio
import random
import sys


async def serve(reader, writer):
    try:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(random.uniform(0.05, 0.15))
            head = f"HTTP/1.1 200 OK\r\nX-Version: {sys.argv[2]}\r\nContent-Length: 2\r\n\r\n"
            writer.write(head.encode() + b"ok")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


asyncio.run(main())
