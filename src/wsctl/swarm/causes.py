"""Why a connection did not come up, in words: picows' exceptions, translated in one place."""

import asyncio
import os
import socket
import ssl
from typing import Any

from picows import WSHandshakeError
from python_socks import ProxyError

from wsctl.client.retry_after import retry_after
from wsctl.client.speech import SOCKETIO, Speech
from wsctl.client.target import Target
from wsctl.errors import Refused, TargetError, Unreachable

_CERTIFICATE_HINT = "--cacert FILE names the authority that signed it; --insecure skips the check"


def unreachable(target: Target, error: BaseException, speech: Speech = SOCKETIO) -> TargetError:
    """What an exception of `ws_connect` means: Unreachable, or Refused."""
    where = target.shown
    match error:
        case ConnectionRefusedError():
            return Unreachable(f"{where}: connection refused", hint=speech.server_hint)
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
            return _bad_answer(where, error, speech)
        case asyncio.TimeoutError():
            return Unreachable(f"{where} did not answer the WebSocket handshake in time", hint=speech.place_hint)
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


def _bad_answer(where: str, error: WSHandshakeError, speech: Speech) -> TargetError:
    status: Any = None if error.response is None else error.response.status
    if status is None:
        return Unreachable(f"{where} answers, but not in HTTP", hint=speech.place_hint, answered=True)
    shown = f"{status.value} {status.phrase}"
    if speech.raw and status in (401, 403):
        return Refused(shown)  # the server's own words, as those of a namespace that refuses
    if status == 429 or status >= 500:
        hint = "the server behind it may be down or overloaded"
        told = retry_after(error.response.headers.get("Retry-After")) if error.response is not None else 0.0
        return Unreachable(f"{where} answers {shown}", hint=hint, answered=True, retry_after=told)
    if status == 101:
        return Unreachable(f"{where} answers the WebSocket handshake wrongly: {error}", answered=True)
    return Unreachable(f"{where} answers, but not as a WebSocket: {shown}", hint=speech.place_hint, answered=True)
