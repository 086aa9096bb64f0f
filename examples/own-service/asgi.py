"""A program for uvicorn. Every request takes 50 ms."""

import asyncio
import os


async def app(scope, receive, send):
    assert scope["type"] == "http"
    if scope["path"] != "/healthz":
        await asyncio.sleep(0.05)
    headers = [(b"content-length", b"3"), (b"x-version", os.environ["VERSION"].encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok\n"})
