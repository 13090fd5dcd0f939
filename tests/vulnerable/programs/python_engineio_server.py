"""python-engineio with a thread for each connection, in whatever version PYTHONPATH holds. [PORT]: it prints which.

What it echoes passes for a Socket.IO namespace that anybody may join.
"""

import sys

import engineio
from werkzeug.serving import make_server

eio = engineio.Server(async_mode="threading")


def message(sid: str, content: str | bytes) -> None:
    """Say it back."""
    eio.send(sid, content)


eio.on("message", message)
server = make_server(
    "127.0.0.1",
    int(sys.argv[1]) if sys.argv[1:] else 0,
    engineio.WSGIApp(eio, engineio_path="socket.io"),
    threaded=True,
)
print(server.port, flush=True)
server.serve_forever()
