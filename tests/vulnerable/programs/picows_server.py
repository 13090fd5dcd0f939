"""An echo on picows, which hands over frames: it says back those that carry data. [PORT]: it prints which."""

import asyncio
import sys

from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

DATA = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION)


class Echo(WSListener):
    """One connection."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """As its own examples do."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        elif frame.msg_type in DATA:
            transport.send(frame.msg_type, frame.get_payload_as_bytes(), frame.fin, frame.rsv1)


def listener(_: WSUpgradeRequest) -> Echo:
    """Let everybody in."""
    return Echo()


async def main(port: int) -> None:
    """Serve until killed."""
    server = await ws_create_server(listener, "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 0))
