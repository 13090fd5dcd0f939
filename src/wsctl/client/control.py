"""The control endpoints of a mock feed: what a scenario does to its server, and what the server truly did."""

from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from wsctl.errors import TargetError

_TIMEOUT = 10.0
"""seconds for an answer"""


class Control:
    """`async with Control(url) as control: await control.post("flash", percent=100, outage=3)`."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/control"
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT), connector=aiohttp.TCPConnector(ssl=False)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.close()

    async def post(self, endpoint: str, **body: Any) -> dict[str, Any]:
        """Have something done; answers what the server says of it. Raises TargetError when it says no, or nothing."""
        return await self._ask("POST", endpoint, json=body)

    async def get(self, endpoint: str) -> dict[str, Any]:
        """Ask for something, such as `sent`. Raises TargetError."""
        return await self._ask("GET", endpoint)

    async def _ask(self, method: str, endpoint: str, **options: Any) -> dict[str, Any]:
        try:
            async with self._session.request(method, f"{self._url}/{endpoint}", **options) as response:
                body = await response.read()
                status = response.status
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            cause = str(error) or f"no answer within {_TIMEOUT:g} s"
            raise TargetError(f"/control/{endpoint} cannot be asked: {cause.lower()}") from error
        try:
            answer: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise TargetError(f"/control/{endpoint} answered {status} and no JSON; is control on?") from error
        if status != 200:
            raise TargetError(f"/control/{endpoint} refused: {answer.get('message', status)}")
        return answer
