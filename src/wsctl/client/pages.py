"""A page that is read again and again, such as a server's own metrics."""

from types import TracebackType
from typing import Self

import aiohttp

from wsctl.client.target import without_secrets
from wsctl.errors import TargetError

TIMEOUT = 5.0
"""seconds for an answer"""
LARGEST = 4 * 1024 * 1024
"""bytes that are read of it"""


class Page:
    """`async with Page(url) as page: await page.read()`, over one connection that is kept."""

    def __init__(self, url: str) -> None:
        """`url` may hold secrets; no message repeats them."""
        self._url = url
        self.shown = without_secrets(url)
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.close()

    async def read(self) -> str:
        """The text as it is now. Raises TargetError when it cannot be read, or is none."""
        try:
            async with self._session.get(self._url) as response:
                body = await response.content.read(LARGEST)
                while chunk := await response.content.read(LARGEST - len(body)):
                    body += chunk
                status = response.status
            text = body.decode()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise TargetError(f"{self.shown} cannot be read: {_cause(error)}") from error
        except UnicodeDecodeError as error:
            raise TargetError(f"{self.shown} answers, but not with text") from error
        if status != 200:
            raise TargetError(f"{self.shown} answers {status}; expected 200 and a text")
        return text


def _cause(error: Exception) -> str:
    """In words; the texts of some errors are little but the URL."""
    match error:
        case aiohttp.InvalidURL():
            return "it is no URL"
        case aiohttp.ClientResponseError():
            return (error.message or type(error).__name__).lower()
        case _:
            return (str(error) or f"no answer within {TIMEOUT:g} s").lower()
