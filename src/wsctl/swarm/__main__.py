"""`python -m wsctl.swarm`: a swarm as a child process, driven by JSON lines on stdin. See `messages`."""

import asyncio
import sys

import msgspec

from wsctl.errors import ExitCode, UsageError, WsctlError
from wsctl.swarm import messages
from wsctl.swarm.crowd import Crowd
from wsctl.swarm.messages import Failed, Fault, Progress, Report, Stop
from wsctl.swarm.options import SwarmOptions
from wsctl.swarm.pipe import Inbox, Outbox
from wsctl.swarm.process import raise_descriptor_limit, run_child, tune_collector


async def serve() -> ExitCode:
    """Run one swarm. The end of stdin ends it at once: nobody is left to read what comes out."""
    inbox, outbox = Inbox(sys.stdin.buffer), Outbox(sys.stdout.fileno())
    line = await inbox.next()
    if line is None:
        return ExitCode.INTERRUPTED
    try:
        options = _read_options(line)
        raise_descriptor_limit(options.clients)
        tune_collector()
        crowd = Crowd(options, lambda report: _put(outbox, report))
        running, driving = asyncio.create_task(crowd.run()), asyncio.create_task(_drive(crowd, inbox))
        await asyncio.wait({running, driving}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():  # the parent is gone
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            driving.result()
            return ExitCode.INTERRUPTED
        driving.cancel()
        _put(outbox, running.result())
    except WsctlError as error:
        _put(outbox, Failed(message=error.message, hint=error.hint, exit_code=error.exit_code))
        return error.exit_code
    finally:
        outbox.close()
    return ExitCode.PASSED


async def _drive(crowd: Crowd, inbox: Inbox) -> None:
    """Do what the parent says, until it is gone."""
    while (line := await inbox.next()) is not None:
        match messages.decode_command(line):
            case Fault() as fault:
                crowd.fault(fault)
            case Stop():
                crowd.stop()


def _put(outbox: Outbox, report: Report) -> None:
    outbox.put(messages.encode(report), dispensable=isinstance(report, Progress))


def _read_options(line: bytes) -> SwarmOptions:
    try:
        return msgspec.json.decode(line, type=SwarmOptions)
    except msgspec.DecodeError as error:
        raise UsageError(f"the options of the swarm cannot be read: {error}") from error


if __name__ == "__main__":
    run_child(serve)
