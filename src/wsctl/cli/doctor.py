"""wsctl doctor: can this machine hold so many connections?"""

from typing import Annotated

import typer


def doctor(
    users: Annotated[int, typer.Option(min=1, metavar="N", help="So many connections.")] = 10_000,
    workers: Annotated[int, typer.Option(min=0, metavar="N", help="In so many processes; 0: in one.")] = 0,
    loopback: Annotated[
        bool, typer.Option("--loopback", help="To a feed on 127.0.0.1, from as many source addresses as it takes.")
    ] = False,
) -> None:
    """Say whether this machine can put so many connections under load, and what to set where it cannot.

    Exit 1 where something is in the way.

    Example: wsctl doctor --users 50000 --workers 4
    """
    from wsctl.cli.console import print_text
    from wsctl.client.target import Target
    from wsctl.errors import ExitCode
    from wsctl.load.preflight import checks, source_addresses, this_machine

    machine = this_machine()
    addresses = source_addresses(Target(url="http://127.0.0.1"), users, machine) if loopback else ()
    looked = list(checks(machine, users, workers=workers, addresses=max(1, len(addresses))))
    width = max(len(check.about) for check in looked)
    for check in looked:
        print_text(f"{'ok ' if check.fits else 'not'}  {check.about:{width}}  {check.found}")
        if not check.fits:
            print_text(f"     {'':{width}}  {check.advice}")
    fits = all(check.fits for check in looked)
    print_text(f"{users:,} connections: {'this machine can hold them' if fits else 'not as it is'}")
    raise typer.Exit(ExitCode.PASSED if fits else ExitCode.FINDINGS)
