"""Which target is meant: options first, then the environment, then `wsctl.yaml`, then the usual address.

`wsctl.yaml` in the working directory:

    default: staging
    feeds:
      staging: {url: "https://feed.example", token_file: staging.token}
      local: {url: "http://127.0.0.1:3000"}
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from wsctl.client.target import (
    DEFAULT_NAMESPACE,
    DEFAULT_PATH,
    DEFAULT_URL,
    TRANSPORTS,
    Target,
    Transport,
    normalise_namespace,
    normalise_path,
    normalise_url,
)
from wsctl.errors import UsageError
from wsctl.spec.document import Document, check_keys, kind_of
from wsctl.spec.nearest import nearest
from wsctl.wire.dialect import Dialect
from wsctl.wire.dialects import SOCKETIO, dialect_of, is_file, spoken

CONFIG_FILE = "wsctl.yaml"
URL_VARIABLE = "WSCTL_URL"
TOKEN_VARIABLE = "WSCTL_TOKEN"  # noqa: S105 (a name, not a secret)


class TargetOptions(Struct, frozen=True, kw_only=True):
    """The options of every client command, as typed; None where not given."""

    url: str | None = None
    feed: str | None = None
    """a name under `feeds:` in wsctl.yaml"""
    path: str | None = None
    namespace: str | None = None
    token: str | None = None
    token_file: str | None = None
    auth: str | None = None
    """a JSON object"""
    headers: tuple[str, ...] = ()
    """each `Name: value`"""
    transport: str | None = None
    cacert: str | None = None
    insecure: bool = False
    dialect: str | None = None
    """a name or a file"""


class Found(Struct, frozen=True, kw_only=True):
    """A target and where it came from."""

    target: Target
    configured: bool
    """False when nobody named one, and it is the usual address"""
    feed: str | None = None
    """its name in wsctl.yaml"""
    dialect: str | None = None
    """as it was named, for tapes, which may say themselves; the target's own is never None"""


class _Feed(Struct, frozen=True, kw_only=True):
    """One entry under `feeds:`, read and checked; None where not given."""

    name: str | None = None
    url: str | None = None
    path: str | None = None
    namespace: str | None = None
    token: str | None = None
    auth: dict[str, Any] | None = None
    headers: tuple[tuple[str, str], ...] = ()
    transport: Transport | None = None
    cacert: str | None = None
    insecure: bool = False
    dialect: str | None = None


def find_target(options: TargetOptions, *, environ: Mapping[str, str], directory: Path) -> Found:
    """The target that is meant; an option beats the environment, which beats the file.

    Raises UsageError for a bad option, and with file, line and the nearest known key for a bad `wsctl.yaml`.
    """
    if options.url is not None and options.feed is not None:
        raise UsageError("--url and --feed both name a target; give one of them")
    feed = _pick_feed(options, environ, directory)
    url = options.url or (feed.url if feed.name else environ.get(URL_VARIABLE))
    address = normalise_url(url or DEFAULT_URL)
    dialect = options.dialect or feed.dialect
    known = dialect_of(address) if dialect is None else spoken(dialect)
    if known is not None and known.over == "websocket":
        _check_raw(options, feed, known)
        environ = {name: value for name, value in environ.items() if name != TOKEN_VARIABLE}  # for others
    target = Target(
        url=address,
        path=normalise_path(options.path) if options.path else feed.path or DEFAULT_PATH,
        namespace=normalise_namespace(options.namespace) if options.namespace else feed.namespace or DEFAULT_NAMESPACE,
        token=_find_token(options, environ, feed),
        auth=parse_auth(options.auth) if options.auth is not None else feed.auth,
        headers=tuple(map(parse_header, options.headers)) or feed.headers,
        transport=parse_transport(options.transport) if options.transport else feed.transport or "auto",
        cacert=options.cacert or feed.cacert,
        insecure=options.insecure or feed.insecure,
        dialect=dialect or (SOCKETIO if known is None else known.name),
        direct=url is None,
    )
    somewhere = (url, options.path, options.namespace, dialect)  # each says that a feed of one's own is meant
    return Found(target=target, configured=any(somewhere), feed=feed.name, dialect=options.dialect)


def parse_header(text: str) -> tuple[str, str]:
    """A header as `Name: value`. Raises UsageError without showing the value, which may be a secret."""
    name, colon, value = text.partition(":")
    if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or re.search(r"[\r\n\0]", value):
        shown = f" {name[:40]!r}" if colon else ""  # without a colon all of it may be the secret
        raise UsageError(f"bad header{shown}; expected 'Name: value'")
    return name, value.strip()


def parse_auth(text: str) -> dict[str, Any]:
    """Further keys of the handshake auth, a JSON object."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UsageError(
            f"--auth is not JSON: {str(error).lower()}", hint='such as \'{"format": "compact"}\''
        ) from error
    if not isinstance(value, dict):
        raise UsageError(
            f"--auth is {kind_of(value)}; expected a JSON object", hint='such as \'{"format": "compact"}\''
        )
    return value


def parse_transport(text: str) -> Transport:
    """One of `TRANSPORTS`."""
    for transport in TRANSPORTS:
        if text == transport:
            return transport
    raise UsageError(f"unknown transport {text!r}; expected {', '.join(TRANSPORTS)}")


def read_token(path: Path, shown: str) -> str:
    """The token in a file, without the white space around it."""
    try:
        token = path.expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "not text"
        raise UsageError(f"token file {shown} cannot be read: {cause.lower()}") from error
    if not token:
        raise UsageError(f"token file {shown} is empty")
    return token


def _find_token(options: TargetOptions, environ: Mapping[str, str], feed: _Feed) -> str | None:
    if options.token:
        return options.token
    if options.token_file:
        return read_token(Path(options.token_file), options.token_file)
    return environ.get(TOKEN_VARIABLE) or feed.token


def _pick_feed(options: TargetOptions, environ: Mapping[str, str], directory: Path) -> _Feed:
    """The entry of wsctl.yaml that is meant; an empty one where a URL came first or there is no file."""
    if options.feed is None and (options.url or environ.get(URL_VARIABLE)):
        return _Feed()
    file = directory / CONFIG_FILE
    if not file.is_file():
        if options.feed is not None:
            raise UsageError(f"--feed {options.feed}: there is no {CONFIG_FILE} in {directory}")
        return _Feed()
    from wsctl.spec.loader import read_yaml  # a slow import, needed only where there is a file

    document = read_yaml(file, shown=CONFIG_FILE)
    name = _pick_name(document, options.feed)
    return _Feed() if name is None else _read_feed(document, name, directory)


def _pick_name(document: Document, asked: str | None) -> str | None:
    data = {} if document.data is None else check_keys(document, (), ("default", "feeds"))
    feeds = check_keys(document, ("feeds",), data["feeds"]) if data.get("feeds") else {}
    name = data.get("default") if asked is None else asked
    if name is None:
        return _only_feed(document, feeds)
    if name in feeds:
        return str(name)
    close = nearest(str(name), feeds)
    hint = f"did you mean {close}?" if close else f"feeds: {', '.join(feeds) or 'none'}"
    message = f"no feed {name!r}"
    if asked is None:
        raise document.value_error(("default",), message, hint=hint)
    raise document.key_error(("feeds",), message, hint=hint)


def _only_feed(document: Document, feeds: Mapping[str, Any]) -> str | None:
    if len(feeds) > 1:
        names = ", ".join(feeds)
        raise document.key_error(("feeds",), f"{len(feeds)} feeds and no default", hint=f"--feed NAME, of: {names}")
    return next(iter(feeds), None)


def _read_feed(document: Document, name: str, directory: Path) -> _Feed:
    path = ("feeds", name)
    entry = check_keys(document, path, _KEYS)
    if "url" not in entry:
        raise document.key_error(path, f"feed {name!r} has no url")
    if "token" in entry and "token_file" in entry:
        raise document.key_error((*path, "token_file"), "token and token_file are both given; keep one")
    fields: dict[str, Any] = {}
    for key, value in entry.items():
        try:
            fields[key] = _KEYS[key](value)
        except UsageError as error:
            raise document.value_error((*path, key), f"{key}: {error.message}", hint=error.hint) from error
    if (dialect := fields.get("dialect")) and is_file(dialect):
        fields["dialect"] = str(directory / Path(dialect).expanduser())
    token_file = fields.pop("token_file", None)
    if token_file is not None:
        fields["token"] = read_token(directory / Path(token_file).expanduser(), token_file)
    if "cacert" in fields:
        fields["cacert"] = str(directory / Path(fields["cacert"]).expanduser())
    return structs.replace(_Feed(**fields), name=name)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError(f"expected a text, got {kind_of(value) if value != '' else 'an empty one'}")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"expected true or false, got {kind_of(value)}")
    return value


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"expected a mapping, got {kind_of(value)}")
    return value


def _headers(value: Any) -> tuple[tuple[str, str], ...]:
    return tuple(parse_header(f"{name}: {_text(text)}") for name, text in _mapping(value).items())


def _check_raw(options: TargetOptions, feed: _Feed, dialect: Dialect) -> None:
    """Raise UsageError for what only Socket.IO knows, with a dialect that is frames and nothing else."""
    credentials = "raw feeds take credentials by --header, or in the dialect file"
    for name, asked, configured, hint in (
        ("token", options.token or options.token_file, feed.token, credentials),
        ("auth", options.auth, feed.auth, credentials),
        ("namespace", options.namespace, feed.namespace, None),
        ("path", options.path, feed.path, "the URL's own path counts"),
        ("transport polling", options.transport == "polling", feed.transport == "polling", None),
    ):
        if asked or configured:
            what = f"--{name}" if asked else f"{name} of feed {feed.name}"
            raise UsageError(f"{what} is about Socket.IO, and {dialect.name} is a raw WebSocket dialect", hint=hint)


def _dialect(value: Any) -> str:
    """A dialect's name; files are looked for later, when it is known where."""
    name = _text(value)
    if not is_file(name):
        spoken(name)
    return name


_KEYS: Mapping[str, Callable[[Any], Any]] = {
    "url": lambda value: normalise_url(_text(value)),
    "path": lambda value: normalise_path(_text(value)),
    "namespace": lambda value: normalise_namespace(_text(value)),
    "token": _text,
    "token_file": _text,
    "auth": _mapping,
    "headers": _headers,
    "transport": lambda value: parse_transport(_text(value)),
    "cacert": _text,
    "insecure": _flag,
    "dialect": _dialect,
}
