"""The embedded mock: the first command anyone types shows something moving."""

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from msgspec import structs

from wsctl.client.target import Target
from wsctl.model.channel import is_name, symbol_of

if TYPE_CHECKING:
    from wsctl.server.app import MockFeed


async def target_or_mock(
    target: Target, *, configured: bool, symbols: tuple[str, ...], channels: tuple[str, ...], stack: AsyncExitStack
) -> tuple[Target, "MockFeed | None"]:
    """The target, or, when nothing was configured and nothing there speaks Socket.IO, a mock feed on `stack`.

    The mock runs in this process, on a free port, with whatever symbols were asked for.
    """
    if configured:
        return target, None
    # The probe's HTTP library and a whole server: a fifth of a second to import, seldom needed.
    from wsctl.client.probe import speaks_socketio
    from wsctl.server.app import MockFeed
    from wsctl.server.options import ServeOptions

    if await speaks_socketio(target):
        return target, None
    asked = [*symbols, *(symbol for symbol in map(symbol_of, channels) if symbol is not None)]
    wanted = tuple(dict.fromkeys(filter(is_name, asked)))
    mock = await stack.enter_async_context(MockFeed(ServeOptions(port=0, symbols=wanted or None, control=True)))
    return structs.replace(target, url=mock.url, direct=True), mock
