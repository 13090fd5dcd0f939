"""Whom the target's token names: private channels carry the user's id."""

from wsctl.client.target import Target
from wsctl.errors import UsageError


def user_of(target: Target) -> str:
    """The `sub` of the token, unverified: that is the server's business. Raises UsageError when there is none."""
    if target.token is None:
        raise UsageError(
            "no token, so no user whose notifications to watch", hint="--token, --token-file, $WSCTL_TOKEN"
        )
    import jwt  # and the cryptography behind it: 40 ms, seldom needed

    try:
        user = jwt.decode(target.token, options={"verify_signature": False}).get("sub")
    except jwt.PyJWTError as error:
        raise UsageError("the token is no JSON Web Token; it cannot be told whom it names") from error
    if not isinstance(user, str) or not user:
        raise UsageError("the token names nobody; expected a claim `sub`")
    return user
