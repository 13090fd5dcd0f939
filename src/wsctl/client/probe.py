"""Whether something speaks Socket.IO at an address: asked before the embedded mock is started in its place."""

import json

import aiohttp

from wsctl.client.target import Target

_MAX_ANSWER = 64 * 1024


async def speaks_socketio(target: Target, timeout: float = 1.0) -> bool:  # noqa: ASYNC109
    """Whether an Engine.IO v4 server answers a handshake within `timeout` seconds; never through a proxy.

    A server without long-polling counts as well: its refusal is Engine.IO's own.
    """
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout)) as session,
            session.get(target.engineio_url("polling"), ssl=False) as response,
        ):
            body = await response.content.read(_MAX_ANSWER)
            session_id = _session_id(response.status, body)
            if session_id:  # say good-bye, or the server would keep the session until its ping goes unanswered
                async with session.post(response.url.update_query(sid=session_id), data="1", ssl=False):
                    pass
            return session_id is not None
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        return False


def _session_id(status: int, body: bytes) -> str | None:
    """The session that an answer opened; an empty text for a refusal in Engine.IO's words; None for anything else."""
    text = body.decode("utf-8", "replace")
    refused = status == 400
    try:
        answer = json.loads(text if refused else text.removeprefix("0").partition("\x1e")[0])
    except ValueError:
        return None
    if not isinstance(answer, dict):
        return None
    if refused:
        return "" if {"code", "message"} <= answer.keys() else None
    opened = status == 200 and text.startswith("0{") and isinstance(answer.get("sid"), str)
    return answer["sid"] if opened else None
