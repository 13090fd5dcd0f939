"""Why a connection did not come up, in words: picows' exceptions, translated in one place."""

import asyncio
import os
import socket
import ssl
from typing import Any

from picows import WSHandshakeError
from python_socks import ProxyError

from wsctl.client.target import Target
from wsctl.errors import Unreachable

_SERVER_HINT = "is a server running there? wsctl serve starts a mock feed"
_PATH_HINT = "is it the right port? --path says where a Socket.IO server listens, if not at /socket.io/"
_CERTIFICATE_HINT = "--cacert FILE names the authority that signed it; --insecure skips the check"


def unreachable(target: Target, error: BaseException) -> Unreachable:
    """What an exception of `ws_connect` means."""
    where = target.shown
    match error:
        case ConnectionRefusedError():
            return Unreachable(f"{where}: connection refused", hint=_SERVER_HINT)
        case socket.gaierror():
            return Unreachable(f"{where}: host name not found", hint="check the spelling, the network and the VPN")
        case ssl.SSLCertVerificationError():
            return Unreachable(f"{where}: its certificate is not trusted", hint=_CERTIFICATE_HINT)
        case ssl.SSLError():
            word = (error.reason or "handshake failed").replace("_", " ").lower()
            return Unreachable(f"{where}: TLS failed: {word}")
        case ProxyError():
            hint = "HTTP_PROXY, HTTPS_PROXY and ALL_PROXY name it; NO_PROXY=host goes past it"
            return Unreachable(f"the proxy on the way to {where} does not let us through: {error}", hint=hint)
        case WSHandshakeError():
            return _bad_answer(where, error)
        case asyncio.TimeoutError():
            return Unreachable(f"{where} did not answer the WebSocket handshake in time", hint=_PATH_HINT)
        case ConnectionResetError() | ConnectionAbortedError() | BrokenPipeError():
            return cut_before_answer(target)
        case OSError():
            word = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
            return Unreachable(f"{where} cannot be reached: {word[:1].lower()}{word[1:]}")
    return Unreachable(f"{where} cannot be reached: {error}")


def cut_before_answer(target: Target) -> Unreachable:
    """The connection came up and ended before its upgrade was answered."""
    hint = None if target.secure else "if it speaks TLS, the URL begins with https:// or wss://"
    return Unreachable(f"{target.shown} accepts connections and cuts them before an answer", hint=hint, answered=True)


def _bad_answer(where: str, error: WSHandshakeError) -> Unreachable:
    status: Any = None if error.response is None else error.response.status
    if status is None:
        return Unreachable(f"{where} answers, but not in HTTP", hint=_PATH_HINT, answered=True)
    shown = f"{status.value} {status.phrase}"
    if status == 429 or status >= 500:
        hint = "the server behind it may be down or overloaded"
        return Unreachable(f"{where} answers {shown}", hint=hint, answered=True)
    if status == 101:
        return Unreachable(f"{where} answers the WebSocket handshake wrongly: {error}", answered=True)
    return Unreachable(f"{where} answers, but not as a WebSocket: {shown}", hint=_PATH_HINT, answered=True)
