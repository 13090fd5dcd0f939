"""Why a target could not be reached, in words: what the HTTP library saw, translated once for all transports."""

import asyncio
import errno
import os
from typing import Any
from weakref import WeakSet

import aiohttp

from wsctl.client.retry_after import retry_after
from wsctl.client.speech import SOCKETIO, TOKEN_HINT, Speech
from wsctl.client.target import Target
from wsctl.errors import Refused, TargetError, Unreachable
from wsctl.spec.units import format_duration

_CREDENTIAL_WORDS = ("auth", "token", "jwt", "credential", "login", "permission")


class Trail:
    """What happened on the way to a target, noted by the HTTP library's tracing.

    The protocol library above it turns some exceptions into texts and drops others.
    """

    def __init__(self) -> None:
        self.connected = False
        """a TCP (and TLS, and proxy) connection came up"""
        self.response: aiohttp.ClientResponse | None = None
        self.error: BaseException | None = None
        self._responses: WeakSet[aiohttp.ClientResponse] = WeakSet()

    def config(self) -> aiohttp.TraceConfig:
        """The tracing to hand to a session."""
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_end.append(self._on_connection)
        trace.on_request_end.append(self._on_response)
        trace.on_request_exception.append(self._on_error)
        return trace

    @property
    def request_headers(self) -> tuple[tuple[str, str], ...]:
        """Of the latest request that was answered."""
        if self.response is None:
            return ()
        return tuple((str(name), value) for name, value in self.response.request_info.headers.items())

    def close(self) -> None:
        """Give up every answer, read or not: a WebSocket whose closing was cut short keeps its connection."""
        for response in self._responses:
            response.close()

    async def _on_connection(self, session: Any, context: Any, params: Any) -> None:
        self.connected = True

    async def _on_response(self, session: Any, context: Any, params: Any) -> None:
        self.response, self.error = params.response, None
        self._responses.add(params.response)

    async def _on_error(self, session: Any, context: Any, params: Any) -> None:
        if not isinstance(params.exception, asyncio.CancelledError):
            self.response, self.error = None, params.exception


def handshake_failed(
    target: Target, trail: Trail, error: BaseException, *, polling: bool = False, speech: Speech = SOCKETIO
) -> TargetError:
    """Why the transport did not come up."""
    if trail.response is not None:
        return _bad_answer(target, trail.response, error, final=polling or speech.raw, speech=speech)
    return _no_answer(target, trail.error or error, speech)


def timed_out(
    target: Target, trail: Trail, seconds: float, *, transport: str, opened: bool, speech: Speech = SOCKETIO
) -> Unreachable:
    """Why nothing came of it within a time."""
    within = f"within {format_duration(seconds)}"
    if opened:
        return Unreachable(
            f"{target.shown} speaks Engine.IO, but did not let us join namespace {target.namespace} {within}",
            hint="it may be overloaded, or wait for something that --auth should hold",
            answered=True,
        )
    if trail.connected:
        return Unreachable(
            f"{target.shown} accepts connections, but did not answer the {transport} handshake {within}",
            hint=speech.place_hint,
            answered=True,
        )
    return Unreachable(
        f"{target.shown} did not answer {within}", hint="check host and port; a firewall may swallow the packets"
    )


def ended_early(target: Target, reason: str) -> Unreachable:
    """The connection came up and ended before the namespace was joined."""
    return Unreachable(
        f"{target.shown} ended the connection before namespace {target.namespace} was joined: {reason}", answered=True
    )


def refused(target: Target, answer: Any) -> Refused:
    """The server's connect error, in its own words."""
    word = answer.get("message") if isinstance(answer, dict) else answer
    text = str(word) if word else "no reason given"
    message = f"{target.shown} refused the connection: {text}"
    if text == "Invalid namespace":
        return Refused(f"{message} {target.namespace}", hint="--namespace names another one")
    return Refused(message, hint=_credential_hint(target, text))


def _credential_hint(target: Target, text: str) -> str | None:
    if not any(word in text.lower() for word in _CREDENTIAL_WORDS):
        return None
    return TOKEN_HINT if target.token is None else "the token may be expired, or signed with another secret"


def _bad_answer(
    target: Target, response: aiohttp.ClientResponse, error: BaseException, *, final: bool, speech: Speech
) -> TargetError:
    """An HTTP answer that did not become a connection; `final` where no other transport can do better."""
    status = f"{response.status} {response.reason or ''}".strip()
    said = _engineio_word(error)
    if final and response.status in (401, 403):
        return Refused(f"{target.shown} refused the connection: {status}", hint=speech.credentials_hint)
    if said is not None:
        return Unreachable(f"{target.shown} refused the handshake: {said} ({status})", answered=True)
    if response.status == 429 or response.status >= 500:
        hint = "the server behind it may be down or overloaded"
        told = retry_after(response.headers.get("Retry-After"))
        return Unreachable(f"{target.shown} answers {status}", hint=hint, answered=True, retry_after=told)
    kind = response.headers.get("Content-Type", "").partition(";")[0]
    what = f"{status} ({kind})" if kind else status
    where = "" if speech.raw else f" at {target.path}"
    return Unreachable(
        f"{target.shown} answers, but not as {speech.name}{where}: {what}", hint=speech.place_hint, answered=True
    )


def _engineio_word(error: BaseException) -> str | None:
    """What an Engine.IO server says with a 400, such as `Unsupported protocol version`."""
    cause: BaseException | None = error
    while cause is not None:
        for argument in cause.args[1:2]:
            if isinstance(argument, dict) and isinstance(argument.get("message"), str):
                return str(argument["message"])
        cause = cause.__cause__
    return None


def _no_answer(target: Target, error: BaseException, speech: Speech) -> Unreachable:
    """No HTTP answer at all. More specific classes first: aiohttp's form a diamond."""
    where = target.shown
    hint: str | None
    match error:
        case aiohttp.ClientProxyConnectionError():
            hint = "HTTP_PROXY, HTTPS_PROXY and ALL_PROXY name it; NO_PROXY=host goes past it"
            return Unreachable(f"the proxy on the way to {where} cannot be reached: {_os_word(error)}", hint=hint)
        case aiohttp.ClientHttpProxyError():
            status = f"{error.status} {error.message}".strip()
            return Unreachable(f"the proxy on the way to {where} answers {status}", answered=True)
        case aiohttp.ClientConnectorCertificateError():
            return _bad_certificate(where, error.certificate_error)
        case aiohttp.ClientConnectorSSLError():
            hint = "http:// or ws:// speak without TLS" if target.secure else None
            return Unreachable(f"{where}: TLS failed: {_ssl_word(error.os_error)}", hint=hint)
        case aiohttp.ClientConnectorDNSError():
            host = f"{where}: host name not found"
            return Unreachable(host, hint="check the spelling, the network and the VPN")
        case aiohttp.ClientConnectorError() if error.os_error.errno == errno.ECONNREFUSED:
            return Unreachable(f"{where}: connection refused", hint=speech.server_hint)
        case aiohttp.ClientConnectorError():
            return Unreachable(f"{where} cannot be reached: {_os_word(error)}")
        case aiohttp.ServerTimeoutError():
            return Unreachable(f"{where} did not answer in time")
        case aiohttp.ServerDisconnectedError() | ConnectionError():
            message = f"{where} accepts connections and cuts them before an answer"
            return Unreachable(message, hint=_TLS_HINT if not target.secure else None, answered=True)
        case aiohttp.ClientResponseError():
            hint = _TLS_HINT if not target.secure else speech.place_hint
            return Unreachable(f"{where} answers, but not in HTTP", hint=hint, answered=True)
    return Unreachable(
        f"{where} answers, but not as {speech.name}: {_word(error)}", hint=speech.place_hint, answered=True
    )


_TLS_HINT = "if it speaks TLS, the URL begins with https:// or wss://"


def _bad_certificate(where: str, error: Exception) -> Unreachable:
    word = str(getattr(error, "verify_message", None) or error)
    return Unreachable(
        f"{where}: its certificate is not trusted: {_lower(word)}",
        hint="--cacert FILE names the authority that signed it; --insecure skips the check",
    )


def _ssl_word(error: OSError) -> str:
    reason = getattr(error, "reason", None)
    return _lower(str(reason).replace("_", " ")) if reason else _os_text(error)


def _os_word(error: aiohttp.ClientConnectorError) -> str:
    return _os_text(error.os_error)


def _os_text(error: OSError) -> str:
    if error.errno and error.errno > 0:
        return _lower(os.strerror(error.errno))
    return _word(error)


def _word(error: BaseException) -> str:
    return _lower(str(error)) or type(error).__name__


def _lower(text: str) -> str:
    """A sentence's first letter in lower case, abbreviations left alone."""
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
