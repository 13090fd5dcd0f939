"""Names of files and folders, made of names that people chose."""

import re
from collections.abc import Iterable

_LONGEST = 80
"""bytes of UTF-8; a file name may have 255"""


def unique_slugs(names: Iterable[str]) -> list[str]:
    """Each name as part of a path: letters and digits of any script, the rest dashes; no two are equal."""
    slugs: list[str] = []
    for name in names:
        slug, number = _slug(name), 1
        while slug in slugs:
            number += 1
            slug = f"{_slug(name)}-{number}"
        slugs.append(slug)
    return slugs


def _slug(name: str) -> str:
    words = re.sub(r"[\W_]+", "-", name.lower()).strip("-")
    return words.encode()[:_LONGEST].decode(errors="ignore") or "unnamed"
