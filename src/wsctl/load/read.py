"""A profile from its file."""

from collections.abc import Mapping
from pathlib import Path

from msgspec import structs

from wsctl.errors import UsageError
from wsctl.load.profile import ProfileSpec
from wsctl.model.expectation import expect_all
from wsctl.spec.document import Document
from wsctl.spec.loader import read_yaml
from wsctl.spec.typed import build
from wsctl.spec.variables import fill, from_environment


def read_profile(path: Path, environ: Mapping[str, str]) -> tuple[ProfileSpec, Document]:
    """The profile, and the document for messages about it, `${VARIABLES}` filled in.

    Raises UsageError with the place of what is wrong.
    """
    document = read_yaml(path)
    if document.data is None:
        raise UsageError(f"{path}:1:1: the file is empty; expected a load profile", hint="docs/load.md shows one")
    document = structs.replace(document, data=fill(document.data, (), from_environment(document, environ)))
    profile = build(document, (), ProfileSpec)
    for metric in profile.expect:
        try:
            expect_all({metric: profile.expect[metric]})
        except UsageError as error:
            raise document.key_error(("expect", metric), error.message, hint=error.hint) from error
    return profile, document
