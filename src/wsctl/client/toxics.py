"""The control API of a chaos proxy, as its client sees it: faults are Toxiproxy's toxics."""

import os
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
import msgspec

from wsctl.client.target import normalise_url, without_secrets
from wsctl.errors import TargetError, UsageError

_TIMEOUT = 10.0
"""seconds for an answer"""
_PROXY = "proxies/wsctl"
_TOXICS = f"{_PROXY}/toxics"


class Toxics:
    """`async with Toxics(url) as toxics: await toxics.create("drop", attributes={"p": 0.1})`.

    Every method raises TargetError where nobody answers, and UsageError for what the proxy refuses.
    """

    def __init__(self, url: str) -> None:
        """Raises UsageError for what is no URL."""
        self._url = without_secrets(normalise_url(url)).rstrip("/")
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.close()

    async def proxy(self) -> dict[str, Any]:
        """`{"name", "listen", "upstream", "enabled", "seed", "toxics": [...]}`"""
        return await self._ask("GET", _PROXY)

    async def enable(self, *, enabled: bool) -> dict[str, Any]:
        """Let everybody in, or nobody."""
        return await self._ask("POST", _PROXY, {"enabled": enabled})

    async def create(
        self, type_name: str, *, name: str | None = None, direction: str = "down", share: float = 1.0, **attributes: Any
    ) -> dict[str, Any]:
        """Put a fault in force; with `struck`, those that it met at once (see `struck`)."""
        stream = {"down": "downstream", "up": "upstream"}.get(direction, direction)
        body = {"type": type_name, "name": name, "stream": stream, "toxicity": share, "attributes": attributes}
        return await self._ask("POST", _TOXICS, body)

    async def show(self, name: str) -> dict[str, Any]:
        """A fault, with `matched` and `applied`."""
        return await self._ask("GET", f"{_TOXICS}/{quote(name, safe='')}")

    async def struck(self, name: str, start: int = 0) -> list[dict[str, Any]]:
        """`{"conn", "client", "port", "at"}` of each connection that a fault struck; without the first `start`."""
        found = await self._ask("GET", f"{_TOXICS}/{quote(name, safe='')}/struck?from={start}")
        if found["left_out"]:
            raise TargetError(f"the proxy has forgotten {found['left_out']:,} of the connections that {name} struck")
        whom: list[dict[str, Any]] = found["struck"]
        return whom

    async def update(self, name: str, **change: Any) -> dict[str, Any]:
        """Other `attributes`, another `stream` or `toxicity`, the rest as it was; it begins anew."""
        return await self._ask("PATCH", f"{_TOXICS}/{quote(name, safe='')}", change)

    async def populate(self, toxics: Sequence[Mapping[str, Any]]) -> None:
        """These faults and no others, at once; each as `{"type", "name", "stream", "toxicity", "attributes"}`."""
        await self._ask("POST", "populate", [{"toxics": toxics}])

    async def delete(self, name: str) -> None:
        """Take a fault away."""
        await self._ask("DELETE", f"{_TOXICS}/{quote(name, safe='')}")

    async def reset(self) -> None:
        """No faults, open to all."""
        await self._ask("POST", "reset")

    async def connections(self) -> list[dict[str, Any]]:
        """`{"conn", "client", "address", "port", "upstream"}` of those that are open."""
        found: list[dict[str, Any]] = (await self._ask("GET", "connections"))["connections"]
        return found

    async def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        content = None if body is None else msgspec.json.encode(body)
        try:
            async with self._session.request(method, f"{self._url}/{path}", data=content) as response:
                status, said = response.status, await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise TargetError(
                f"no chaos proxy can be asked at {self._url}: {_cause(error)}",
                hint="wsctl chaos says where its control is",
            ) from error
        try:
            answer: dict[str, Any] = msgspec.json.decode(said, type=dict[str, Any]) if said else {}
        except msgspec.DecodeError as error:
            raise TargetError(f"{self._url} is no chaos proxy's control: it answers {status} and no JSON") from error
        if status >= 400:
            raise UsageError(str(answer.get("error", f"the proxy answers {status}")), hint=answer.get("hint"))
        return answer


def _cause(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "host name not found"
        case aiohttp.ClientConnectorError() if error.os_error.errno:
            return os.strerror(error.os_error.errno).lower()
        case TimeoutError():
            return f"no answer within {_TIMEOUT:g} s"
    return str(error).lower() or type(error).__name__
