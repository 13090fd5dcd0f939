"""`python -m wsctl.swarm.shard_process`: a shard as a child process. See `shard_messages`."""

import asyncio
import sys

import msgspec

from wsctl.errors import ExitCode, UsageError, WsctlError
from wsctl.swarm import shard_messages
from wsctl.swarm.pipe import Inbox, Outbox
from wsctl.swarm.process import raise_descriptor_limit, run_child, tune_collector
from wsctl.swarm.shard import Shard
from wsctl.swarm.shard_messages import Broken, ShardOptions


async def serve() -> ExitCode:
    """Run one shard until stdin ends: nobody is left to tell it what to do."""
    inbox, outbox = Inbox(sys.stdin.buffer), Outbox(sys.stdout.fileno())
    line = await inbox.next()
    if line is None:
        return ExitCode.INTERRUPTED
    try:
        options = _read_options(line)
        raise_descriptor_limit(0)
        tune_collector()
        shard = Shard(options, lambda report: outbox.put(shard_messages.encode(report)))
        running, driving = asyncio.create_task(shard.run()), asyncio.create_task(_drive(shard, inbox))
        await asyncio.wait({running, driving}, return_when=asyncio.FIRST_COMPLETED)
        running.cancel()
        driving.cancel()
        for ended in await asyncio.gather(running, driving, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
    except WsctlError as error:
        broken = Broken(message=error.message, hint=error.hint, exit_code=error.exit_code)
        outbox.put(shard_messages.encode(broken))
        return error.exit_code
    finally:
        outbox.close()
    return ExitCode.PASSED


async def _drive(shard: Shard, inbox: Inbox) -> None:
    """Do what comes, until nothing more will."""
    while (line := await inbox.next()) is not None:
        shard.handle(shard_messages.decode_command(line))


def _read_options(line: bytes) -> ShardOptions:
    try:
        return shard_messages.decode_options(line)
    except msgspec.DecodeError as error:
        raise UsageError(f"the options of the shard cannot be read: {error}") from error


if __name__ == "__main__":
    run_child(serve)
