"""Who a client is: JSON Web Tokens (HS256) at the handshake."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jwt
from jwt.warnings import InsecureKeyLengthWarning
from msgspec import Struct

from wsctl.model.channel import is_name


class User(Struct, frozen=True):
    """Who a token says its bearer is."""

    id: str
    admin: bool = False


class BadToken(Exception):
    """The token is malformed, expired, signed by somebody else, or names nobody."""


def verify(token: object, secret: str) -> User:
    """The user a token names. Raises BadToken."""
    if not isinstance(token, str):
        raise BadToken("the token is not text")
    with _any_key_length(), _translated():
        return _user(jwt.decode(token, secret, algorithms=["HS256"]))


def read_unverified(token: object) -> User:
    """The user a token names, whoever signed it and whenever it expired. Raises BadToken when it names nobody."""
    if not isinstance(token, str):
        raise BadToken("the token is not text")
    with _translated():
        return _user(jwt.decode(token, options={"verify_signature": False}))


def _user(claims: dict[str, Any]) -> User:
    user = claims.get("sub")
    if not isinstance(user, str) or not is_name(user):
        raise BadToken("the token names nobody, or nobody with a sound id")
    return User(user, claims.get("admin") is True)


def mint(user: str, secret: str, *, admin: bool = False, expires_at: float | None = None) -> str:
    """A token for a user; `expires_at` in unix seconds."""
    claims: dict[str, object] = {"sub": user}
    if admin:
        claims["admin"] = True
    if expires_at is not None:
        claims["exp"] = int(expires_at)
    with _any_key_length():
        return jwt.encode(claims, secret, algorithm="HS256")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (jwt.PyJWTError, RecursionError) as error:  # older PyJWTs let deep JSON out
        raise BadToken(str(error)) from error


@contextmanager
def _any_key_length() -> Iterator[None]:
    """Test secrets are short (`wsctl-dev` is part of the interface): no warning about them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureKeyLengthWarning)
        yield
