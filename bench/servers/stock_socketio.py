"""Stock python-socketio: AsyncServer on uvicorn (uvloop), emitting to a room as its documentation shows."""

import asyncio
import socket
import time

import socketio
import uvicorn

from bench.servers.price import CHANNEL, EVENT, arguments, due_times, payload, write_ready

sio = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")


@sio.on("price:subscribe")
async def subscribe(sid: str, symbols: list[str]) -> None:
    """Join the rooms of the symbols."""
    for symbol in symbols:
        await sio.enter_room(sid, f"symbol:{symbol}:ticker")


async def publish(rate: float) -> None:
    """Emit a price to the room on every tick."""
    for seq, due in enumerate(due_times(rate), 1):
        await asyncio.sleep(max(0.0, due - time.time()))
        await sio.emit(EVENT, payload(seq, due), room=CHANNEL)


def main() -> None:
    """Serve on a free port until told to stop."""
    options = arguments(__doc__)
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)

    async def started() -> None:
        sio.start_background_task(publish, options.rate)
        write_ready(options.ready_file, listener.getsockname()[1])

    app = socketio.ASGIApp(sio, on_startup=started)
    config = uvicorn.Config(
        app, loop="uvloop", log_level="warning", ws_per_message_deflate=False, timeout_graceful_shutdown=1
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
