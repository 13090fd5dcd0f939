"""What must not stay on a tape: tokens, keys, signatures and passwords, replaced by `redacted`.

Looked for where a client says who it is, and where it is told a secret: URLs, headers, the frames that it sends, the
bodies of HTTP answers. What a server sends on a WebSocket is data (`token` is a coin there) and stays to the byte.
"""

import json
import re
from typing import Any
from urllib.parse import unquote_plus

from msgspec import structs

from wsctl.tape.format import TapeFrame

REDACTED = "redacted"

_LETTERS = re.compile(
    r"(?:token|secret|password|passwd|passphrase|signature|jwt|authorization|cookie|credentials?"
    r"|(?:api|access|secret|private|listen|auth)key|(?:api|access)sign|authsig|authpayload|sessionid)$"
)
"""what the letters of a name end with, however they are divided"""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_WORDS = frozenset({"auth", "bearer", "hmac", "otp", "pass", "pin", "pw", "pwd", "session", "sig", "sign"})
"""what is a secret's name as its last word only: `X-Api-Sign`, and not `design`"""

_JWT = re.compile(r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]*")
_USER_INFO = re.compile(r"(?<=://)[^/?#@]+(?=@)")
_PARAMETER = re.compile(r"(?<=[?&#])([^=&#]+)=([^&#]*)")
_LISTEN_KEY = re.compile(r"(?<=[/=])[A-Za-z0-9]{40,}(?=$|[/?&#])")
"""a user's own stream is named by a secret (Binance: 60 letters and digits)"""

_MAY_HOLD = re.compile(
    r"token|secret|pass|sig|jwt|auth|cookie|credential|key|log_?[io]n|pwd?\b|\bpin\b|bearer|session|otp|hmac|eyJ",
    re.IGNORECASE,
)
_NAME = re.compile(r'"([^"\\]{1,64})"\s*:\s*')
_TEXT = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_LOGIN_WORD = r"(?:auth(?!ors?\b)|log_?[io]n|\bsign_?in\b)"
_LOGIN = re.compile(rf'"(?:op|method|event|type|action|cmd)"\s*:\s*"[^"]*{_LOGIN_WORD}', re.IGNORECASE)
_ARGUMENTS = re.compile(r'("(?:args|params)"\s*:\s*\[)([^\[\]{}]*)(?=\])')
# ["login", …], also as an event of Socket.IO: its digits, namespace and acknowledgement id
_LOGIN_EVENT = re.compile(
    rf'\s*(?:4[25](?:\d+-)?(?:/[^,]*,)?\d*)?(\[)\s*"[^"\\]*{_LOGIN_WORD}[^"\\]*"(?=\s*,)', re.IGNORECASE
)
_decode = json.JSONDecoder(strict=False).raw_decode


def redacted(frame: TapeFrame) -> TapeFrame:
    """The same without secrets; what holds none is returned as it is, and nothing else in a frame changes."""
    if frame.direction == "in":
        return frame
    url = frame.url and redacted_url(frame.url)
    headers = tuple((name, _redacted_header(name, value)) for name, value in frame.headers)
    content = frame.frame
    if content is not None:
        content = redacted_frame(content) if frame.direction == "out" else _redacted_body(content)
    if (url, headers, content) == (frame.url, frame.headers, frame.frame):
        return frame
    return structs.replace(frame, url=url, headers=headers, frame=content)


def redacted_url(url: str) -> str:
    """Without user and password, secret query parameters, JWTs and names of private streams."""

    def hide(match: re.Match[str]) -> str:
        return f"{match[1]}={REDACTED}" if match[2] and _is_parameter(unquote_plus(match[1])) else match[0]

    url = _PARAMETER.sub(hide, _USER_INFO.sub(REDACTED, url))
    return _LISTEN_KEY.sub(REDACTED, _JWT.sub(REDACTED, url))


def is_secret(name: str) -> bool:
    """Whether a key, parameter or header of this name holds a secret: `X-API-Key`, `access_token`, `authSig`."""
    if _LETTERS.search(re.sub(r"[^a-z]", "", name.lower())):
        return True
    words = _WORD.findall(name)
    return bool(words) and words[-1].lower() in _WORDS


def redacted_frame(frame: str | bytes) -> str | bytes:
    """A frame that a client sends, as `redacted` leaves it."""
    if isinstance(frame, bytes):
        try:
            text = frame.decode()
        except UnicodeDecodeError:
            return frame  # no JSON
        return _redacted_text(text).encode()
    return _redacted_text(frame)


def _redacted_text(text: str) -> str:
    """JSON, also behind a Socket.IO packet's digits, with the values of secret names and a login's words replaced."""
    if _MAY_HOLD.search(text) is None:
        return text
    text = _without_login(_without_values(text))
    if _LOGIN.search(text):  # credentials by position (BitMEX, Bybit)
        text = _ARGUMENTS.sub(lambda match: match[1] + _TEXT.sub(f'"{REDACTED}"', match[2]), text)
    return _JWT.sub(REDACTED, text)


def _redacted_body(body: str | bytes) -> str | bytes:
    """Of an HTTP answer: what a login or a request for a private stream was given."""
    if isinstance(body, bytes) or _MAY_HOLD.search(body) is None:
        return body
    return _JWT.sub(REDACTED, _without_values(body))


def _redacted_header(name: str, value: str) -> str:
    if value and _is_parameter(name):
        return REDACTED
    if "://" in value or "?" in value or value.startswith("/"):  # Referer, Location
        return redacted_url(value)
    return _JWT.sub(REDACTED, value)


def _is_parameter(name: str) -> bool:
    """Whether a parameter or header holds a secret: elsewhere `key` may name a channel."""
    return is_secret(name) or name.lower() == "key"


def _without_values(text: str) -> str:
    """JSON without what stands behind secret names, also in the JSON of its texts."""
    names = set(_NAME.findall(text))
    if secrets := {name for name in names if is_secret(name)}:
        # `key` alone is a channel (Bitfinex); beside a signature it is a credential (Coinbase)
        secrets |= {name for name in names if name.lower() == "key"}
        kept, at = [], 0
        for match in _NAME.finditer(text):
            if match[1] in secrets and match.start() >= at:
                value, end = _value_at(text, match.end())
                if not _is_empty(value):
                    kept += [text[at : match.end()], f'"{REDACTED}"']
                    at = end
        text = "".join([*kept, text[at:]])
    return _TEXT.sub(_without_inner_values, text) if '\\"' in text else text


def _without_inner_values(match: re.Match[str]) -> str:
    """A text of JSON; read and written again only where it is JSON with a secret in it."""
    if '\\"' not in match[0]:
        return match[0]
    said, _ = _value_at(match[0], 0)
    hidden = _without_values(said)
    return match[0] if hidden == said else json.dumps(hidden, ensure_ascii=False)


def _without_login(text: str) -> str:
    """`42["login","user","password"]` without what follows the name."""
    match = _LOGIN_EVENT.match(text)
    if match is None:
        return text
    event, end = _value_at(text, match.start(1))
    if not isinstance(event, list):
        return f'{text[: match.end()]},"{REDACTED}"]'
    if all(map(_is_empty, event[1:])):
        return text
    return text[: match.end()] + f',"{REDACTED}"' * (len(event) - 1) + "]" + text[end:]


def _value_at(text: str, at: int) -> tuple[Any, int]:
    """The JSON value that begins there and where it ends; where there is none, all that follows."""
    try:
        return _decode(text, at)
    except (ValueError, RecursionError):
        return text[at:], len(text)


def _is_empty(value: Any) -> bool:
    """Whether a value is no secret, whatever it is called."""
    return value is None or isinstance(value, bool) or value in ("", [], {})
