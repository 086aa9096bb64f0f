"""A program for gunicorn. Every request takes 50 ms."""

import os
import time


def app(environ, start_response):
    if environ["PATH_INFO"] != "/healthz":
        time.sleep(0.05)
    start_response("200 OK", [("Content-Length", "3"), ("X-Version", os.environ["VERSION"])])
    return [b"ok\n"]
