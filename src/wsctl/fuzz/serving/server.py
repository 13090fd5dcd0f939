"""One run of `wsctl fuzz --serve`: it listens, and attacks who connects, to a result."""

import asyncio
from collections import Counter
from collections.abc import Iterator

from wsctl.clock import Clock
from wsctl.errors import UsageError
from wsctl.fuzz.catalogue import against_clients
from wsctl.fuzz.events import Listener, Listening, Planned
from wsctl.fuzz.options import ServeFuzzOptions
from wsctl.fuzz.probe import Verdict as CaseVerdict
from wsctl.fuzz.process_watch import ProcessWatch
from wsctl.fuzz.result import FuzzResult
from wsctl.fuzz.serving.lobby import Lobby
from wsctl.fuzz.serving.reception import Reception
from wsctl.fuzz.serving.rounds import Rounds
from wsctl.fuzz.tally import metrics_of, not_applying, not_played, verdict_of
from wsctl.fuzz.timed import Timed
from wsctl.model.finding import Verdict
from wsctl.server.sockets import bind, dialable, is_loopback
from wsctl.wire.dialects import spoken


class FuzzServer:
    """Made of options; `run` listens and plays, and tells how it goes; `stop` ends it early, with what there is."""

    def __init__(self, options: ServeFuzzOptions, clock: Clock, tell: Listener) -> None:
        """Raises UsageError for what makes no sense, and for an address elsewhere that nobody says is theirs."""
        if not options.allow_remote and not is_loopback(options.host):
            raise UsageError(
                f"{options.host} is not on this machine only; fuzzing may harm whatever client comes",
                hint="--i-own-this-target says that you may do that to them",
            )
        self._options = options
        self._clock = clock
        self._tell = tell
        dialect = spoken(options.dialect)
        self._dialect = dialect if dialect is not None and dialect.over == "websocket" else None
        asked = against_clients(options.probes, options.groups)
        self._probes = [probe for probe in asked if self._dialect is None or probe.needs == "websocket"]
        if not self._probes:
            raise UsageError(f"none of {', '.join(probe.id for probe in asked)} applies to clients of a raw WebSocket")
        self._left_out = len(asked) - len(self._probes)
        pid = options.client_pid
        watch = None if pid is None else ProcessWatch(lambda: pid)
        self._lobby = Lobby()
        self._reception = Reception(self._lobby, self._dialect, clock)
        self._rounds = Rounds(self._lobby, watch, tell, wait=options.wait, fail_fast=options.fail_fast)
        self.url = ""
        """where clients find it, once it listens"""
        self._work = Timed()
        self.partial: FuzzResult | None = None
        """what there was when `run` raised; None: nothing had been played"""

    def stop(self) -> None:
        """End with what there is."""
        self._work.stop()

    async def run(self) -> FuzzResult:
        """Play everything. Raises UsageError where it cannot listen; `partial` is what was played before an error."""
        options = self._options
        started, began = self._clock.now(), self._clock.monotonic()
        sockets = bind(options.host, options.port)
        scheme = "http" if self._dialect is None else "ws"
        self.url = f"{scheme}://{dialable(*sockets[0].getsockname()[:2])}"
        loop = asyncio.get_running_loop()
        servers = [await loop.create_server(self._reception.visit, sock=sock) for sock in sockets]
        try:
            self._tell(Listening(self.url))
            self._tell(
                Planned(
                    target=self._shown, seed=options.seed, probes=len(self._probes), cases=0, left_out=self._left_out
                )
            )
            in_time = await self._work.run(self._rounds.run(self._probes), options.duration)
        except Exception as error:
            if self._rounds.played:
                self.partial = self._result(started, self._clock.monotonic() - began, broken=f"ended early: {error}")
            raise
        finally:
            for server in servers:
                server.close()
            await self._lobby.close()
            self._reception.close()
        why = "interrupted" if self._work.stopped else None
        return self._result(started, self._clock.monotonic() - began, broken=why, out_of_time=not in_time)

    @property
    def _shown(self) -> str:
        return f"clients of {self.url}"

    def _result(self, started: float, duration: float, *, broken: str | None, out_of_time: bool = False) -> FuzzResult:
        """`broken` says why it ended before all was played, if that was neither a failure nor the time."""
        rounds = self._rounds
        results = tuple(rounds.results)
        counts = Counter(result.verdict for result in results)
        verdict, reason = verdict_of(counts, broken=broken)
        if verdict is Verdict.UNVERIFIABLE:
            reason = self._nobody() or reason
        return FuzzResult(
            name="fuzz --serve",
            verdict=verdict,
            reason=reason,
            duration=duration,
            started_at=started,
            target=self._shown,
            interrupted=self._work.stopped,
            seed=self._options.seed,
            counts={one.value: counts[one] for one in CaseVerdict},
            metrics=metrics_of(counts) | {"fuzz.played": rounds.played},
            probes=results,
            generated=None,
            notes=tuple(self._notes(len(results), out_of_time=out_of_time)) if broken is None else (),
        )

    def _nobody(self) -> str | None:
        """Why nobody could be attacked."""
        deserted = self._rounds.deserted
        if deserted is not None and self._reception.polling:
            return f"{deserted} by WebSocket; clients that stay with long-polling are not attacked"
        return deserted

    def _notes(self, played: int, *, out_of_time: bool) -> Iterator[str]:
        if self._left_out:
            yield not_applying(self._left_out, "clients of a raw WebSocket")
        if self._rounds.played and (nobody := self._nobody()) is not None:
            yield f"{nobody}: nobody was left to go on with"
        missing = len(self._probes) - played
        if missing:
            yield not_played(missing, "out of time" if out_of_time else "stopped at a failure")
