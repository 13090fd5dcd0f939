"""Target: where a feed is and how to be let in. Reconnect: how hard to try again."""

import re
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

from msgspec import Struct

from wsctl.errors import UsageError
from wsctl.wire.dialects import SOCKETIO
from wsctl.wire.engineio import PROTOCOL

Transport = Literal["auto", "websocket", "polling"]

TRANSPORTS: tuple[Transport, ...] = ("auto", "websocket", "polling")
DEFAULT_URL = "http://127.0.0.1:3000"
DEFAULT_PATH = "/socket.io/"
DEFAULT_NAMESPACE = "/"

_SCHEMES = ("http", "https", "ws", "wss")
_HIDDEN = "…"


class Target(Struct, frozen=True, kw_only=True):
    """Where a feed is and how to be let in. Its repr names secrets and never shows them."""

    url: str = DEFAULT_URL
    """as `normalise_url` answers it"""
    path: str = DEFAULT_PATH
    """where the Socket.IO server listens, with a slash on both ends"""
    namespace: str = DEFAULT_NAMESPACE
    token: str | None = None
    auth: dict[str, Any] | None = None
    """further keys of the handshake auth"""
    headers: tuple[tuple[str, str], ...] = ()
    """sent with every HTTP request and with the WebSocket handshake"""
    transport: Transport = "auto"
    cacert: str | None = None
    """a PEM file that replaces the machine's certificate authorities"""
    insecure: bool = False
    """accept any certificate"""
    dialect: str = SOCKETIO
    """how it is spoken to: `socketio`, or a dialect's name or file (`wsctl.wire.dialects`)"""
    direct: bool = False
    """never through a proxy: for feeds of this very machine, such as the embedded mock"""

    @property
    def shown(self) -> str:
        """The URL as messages show it."""
        return without_secrets(self.url)

    def engineio_url(self, transport: str) -> str:
        """The http(s) URL of an Engine.IO handshake; the target's own query stays."""
        parts = urlsplit(self.url)
        scheme = "https" if self.secure else "http"
        query = urlencode({"EIO": PROTOCOL, "transport": transport})
        if parts.query:
            query = f"{parts.query}&{query}"
        return parts._replace(scheme=scheme, path=self.path, query=query).geturl()

    @property
    def websocket_url(self) -> str:
        """The ws(s) URL of a raw feed, its path and query as they are."""
        scheme, _, rest = self.url.partition("://")
        return f"{'wss' if self.secure else 'ws'}://{rest}" if scheme.startswith("http") else self.url

    @property
    def secure(self) -> bool:
        """Whether TLS is spoken."""
        return self.url.startswith(("https:", "wss:"))

    def handshake(self, client: str) -> dict[str, Any]:
        """The handshake auth, `{token?, client, **auth}`; `client` is an id kept across connections."""
        token = {} if self.token is None else {"token": self.token}
        return {**token, "client": client, **(self.auth or {})}

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"Target({fields})"

    def __rich_repr__(self) -> Any:  # msgspec's own would show the secrets in a traceback with locals
        """The fields as rich shows them, secrets left out."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if name == "url":
                value = self.shown
            elif name == "token" and value is not None:
                value = _HIDDEN
            elif name == "auth" and value is not None:
                value = dict.fromkeys(value, _HIDDEN)
            elif name == "headers":
                value = tuple((header, _HIDDEN) for header, _ in value)
            yield name, value


Policy = Literal["full-jitter", "fixed", "socket.io-client", "python-socketio", "websockets"]


class Reconnect(Struct, frozen=True, kw_only=True):
    """What a Feed does after a loss. Delays in seconds."""

    attempts: int = 10
    """failed attempts in a row before it gives up; 0 never reconnects"""
    policy: Policy = "full-jitter"
    """how delays follow from the next two (`wsctl.client.backoff`)"""
    delay: float = 1.0
    """the first delay; of full-jitter the first is anything up to this, and the limit doubles with each further one"""
    delay_max: float = 30.0
    always: bool = False
    """reconnect even where the server says not to; for testing how it copes"""


def without_secrets(url: str) -> str:
    """A URL without user, password, query and fragment: any of them may be a key."""
    scheme, slashes, rest = re.split(r"[?#]", url, maxsplit=1)[0].rpartition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{authority.rpartition('@')[2]}{slash}{path}"


def normalise_url(text: str) -> str:
    """A target's URL in full: `http://` is added to a bare `host:port`, a lone `/` at the end goes.

    Raises UsageError for another scheme, a missing or bad host or port, a user or password, and a fragment.
    """
    text = text.strip()
    if not text or re.search(r"[\s\x00-\x1f\x7f]", text):
        raise UsageError(f"bad URL {text!r}; expected something like {DEFAULT_URL}")
    if "@" in text.partition("?")[0]:  # no message may repeat it
        raise UsageError("the URL holds a user or password", hint="credentials go into --token or --header")
    if re.match(r"(?:https?|wss?):(?!//)", text, re.IGNORECASE):
        raise UsageError(f"bad URL {text!r}; expected // after the scheme, as in {DEFAULT_URL}")
    full = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(full)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"bad URL: {str(error).lower()}; expected something like {DEFAULT_URL}") from error
    if parts.scheme not in _SCHEMES:
        raise UsageError(f"bad URL scheme {parts.scheme!r}; expected {', '.join(_SCHEMES)}")
    if not parts.hostname or port == 0 or parts.netloc.endswith(":"):
        raise UsageError(f"bad URL {text!r}: no host or a bad port; expected something like {DEFAULT_URL}")
    if parts.fragment:
        raise UsageError(f"bad URL {text!r}: a fragment (#…) never reaches a server")
    return parts._replace(path="" if parts.path == "/" else parts.path).geturl()


def normalise_path(text: str) -> str:
    """A server path with a slash on both ends."""
    stripped = text.strip("/")
    if not stripped or re.search(r"[\s?#]", stripped):
        raise UsageError(f"bad path {text!r}; expected something like {DEFAULT_PATH}")
    return f"/{stripped}/"


def normalise_namespace(text: str) -> str:
    """A namespace with its leading slash."""
    if re.search(r"[\s,?]", text):
        raise UsageError(f"bad namespace {text!r}; expected something like / or /admin")
    return text if text.startswith("/") else f"/{text}"
