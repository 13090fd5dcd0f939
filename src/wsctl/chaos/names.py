"""Names: what those who come to a proxy may call it, for their requests to be addressed to the server behind it.

A page of another site may have its name point to this machine (DNS rebinding). It comes with that name, and is
handed on with it, so that the server may refuse it as it would without a proxy. A number, nobody can make point
elsewhere.
"""

import re
from ipaddress import ip_address

_HOST = re.compile(r"(\[[^\[\]]+\]|[^:\[\]]+)(?::\d{1,5})?", re.ASCII)


def is_own(host: str, listening: str | None) -> bool:
    """Whether a Host header names a proxy that was told to listen on a host; None: on loopback.

    Its port does not count: which one a client reached may have been the decision of a tunnel or a container.
    """
    found = _HOST.fullmatch(host.lower())
    return found is not None and (found[1] in ("localhost", (listening or "").lower()) or _is_number(found[1]))


def _is_number(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
