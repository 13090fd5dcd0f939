"""python-socketio on uvicorn, in whatever versions PYTHONPATH holds. [PORT]: it prints which."""

import socket
import sys
from typing import Any

import socketio
import uvicorn

sio = socketio.AsyncServer(async_mode="asgi")


async def hello(sid: str, *args: Any) -> None:
    """Say it back."""
    await sio.emit("hello", args, to=sid)


async def told() -> None:
    """The port, once there is somebody to answer."""
    print(listener.getsockname()[1], flush=True)


sio.on("hello", hello)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1]) if sys.argv[1:] else 0))
app = socketio.ASGIApp(sio, on_startup=told)
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
