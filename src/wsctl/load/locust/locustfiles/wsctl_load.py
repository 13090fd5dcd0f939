"""The locustfile of `wsctl load`. Alone in its folder: Locust puts the folder first where modules are looked for."""

from wsctl.load.locust.users import JourneyUser

__all__ = ["JourneyUser"]
