"""What must not stay on a tape: tokens, keys, signatures and passwords, replaced by `redacted`.

Looked for where a client says who it is: URLs, headers and the frames that it sends. What a server sends is data
(`token` is a coin there) and stays to the byte.
"""

import re
from urllib.parse import unquote_plus

from msgspec import structs

from wsctl.tape.format import TapeFrame

REDACTED = "redacted"

_SECRET = re.compile(
    r"(?:token|secret|password|passwd|passphrase|signature|jwt|authorization|cookie|credentials?"
    r"|(?:api|access|secret|private|listen|auth)key|accesssign|authsig)$"
    r"|^(?:auth|pass|pwd|pin|sig|sign)$"
)
_JWT = re.compile(r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]*")
_USER_INFO = re.compile(r"(?<=://)[^/?#@]+(?=@)")
_PARAMETER = re.compile(r"(?<=[?&#])([^=&#]+)=([^&#]*)")
_LISTEN_KEY = re.compile(r"(?<=[/=])[A-Za-z0-9]{40,}(?=$|[/?&#])")
"""a user's own stream is named by a secret (Binance: 60 letters and digits)"""

_MAY_HOLD = re.compile(
    r"token|secret|pass|sig|jwt|auth|cookie|credential|key|login|logon|pwd|\bpin\b|eyJ", re.IGNORECASE
)
# "name": "text" or a number; the second one inside JSON that is itself a text
_PAIR = re.compile(r'"([\w.-]{1,64})"(\s*:\s*)("(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*)')
_ESCAPED_PAIR = re.compile(r'\\"([\w.-]{1,64})\\"(\s*:\s*)(\\"[^"\\]*(?:\\\\.[^"\\]*)*\\")')
_LOGIN = re.compile(r'"(?:op|method|event|type|action|cmd)"\s*:\s*"[^"]*(?:auth|log[io]n)', re.IGNORECASE)
_ARGUMENTS = re.compile(r'("(?:args|params)"\s*:\s*\[)([^\[\]{}]*)(?=\])')
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')


def redacted(frame: TapeFrame) -> TapeFrame:
    """The same without secrets; what holds none is returned as it is, and nothing else in a frame changes."""
    url = frame.url and redacted_url(frame.url)
    headers = tuple((name, REDACTED if is_secret(name) else _JWT.sub(REDACTED, value)) for name, value in frame.headers)
    content = frame.frame
    if frame.direction == "out" and content is not None:
        content = redacted_frame(content)
    if (url, headers, content) == (frame.url, frame.headers, frame.frame):
        return frame
    return structs.replace(frame, url=url, headers=headers, frame=content)


def redacted_url(url: str) -> str:
    """Without user and password, secret query parameters, JWTs and names of private streams."""

    def hide(match: re.Match[str]) -> str:
        name = unquote_plus(match[1])
        return f"{match[1]}={REDACTED}" if match[2] and (is_secret(name) or name.lower() == "key") else match[0]

    url = _PARAMETER.sub(hide, _USER_INFO.sub(REDACTED, url))
    return _LISTEN_KEY.sub(REDACTED, _JWT.sub(REDACTED, url))


def is_secret(name: str) -> bool:
    """Whether a key, parameter or header of this name holds a secret: `X-API-Key`, `access_token`, `authSig`."""
    return _SECRET.search(re.sub(r"[^a-z]", "", name.lower())) is not None


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
    """JSON, also behind a Socket.IO packet's digits, with the values of secret names replaced."""
    if _MAY_HOLD.search(text) is None:
        return text
    # `key` alone is a channel (Bitfinex); beside a signature it is a credential (Coinbase)
    key_too = any(is_secret(match[1]) for match in _PAIR.finditer(text))

    def hide(match: re.Match[str]) -> str:
        name, between, value = match.groups()
        if not (is_secret(name) or (key_too and name.lower() == "key")):
            return match[0]
        quote = '\\"' if value.startswith("\\") else '"'
        return f"{quote}{name}{quote}{between}{quote}{REDACTED}{quote}"

    text = _ESCAPED_PAIR.sub(hide, _PAIR.sub(hide, text))
    if _LOGIN.search(text):  # credentials by position (BitMEX, Bybit)
        text = _ARGUMENTS.sub(lambda match: match[1] + _TEXT.sub(f'"{REDACTED}"', match[2]), text)
    return _JWT.sub(REDACTED, text)
