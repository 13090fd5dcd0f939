"""What users are told: shapes, ids, and who hears it."""

import pytest
from listening import Ear, HandClock

from wsctl.errors import UsageError
from wsctl.server.hub import Hub
from wsctl.server.services.notifications import NotificationService


@pytest.fixture
def hub():
    return Hub(HandClock(), epoch="e")


@pytest.fixture
def service(hub):
    return NotificationService(hub)


def test_a_notification_reaches_its_user_alone(hub, service):
    service.ensure("ann")
    service.ensure("bob")
    ear = Ear(hub, "user:ann:notifications", "user:bob:notifications")
    service.notify("bob", "warning", "Careful", "Something is odd")
    told = {"id": 1, "level": "warning", "title": "Careful", "body": "Something is odd"}
    assert [one[:4] for one in ear.heard] == [("user:bob:notifications", 1, "notification", told)]


def test_an_announcement_reaches_all_who_listen(hub, service):
    ears = [Ear(hub, "announcement") for _ in range(2)]
    service.announce("Maintenance", "At noon")
    for ear in ears:
        told = {"id": 1, "title": "Maintenance", "body": "At noon"}
        assert [one[:4] for one in ear.heard] == [("announcement", 1, "announcement", told)]


def test_ids_grow_by_one_on_each_channel(hub, service):
    service.ensure("ann")
    service.ensure("bob")
    ear = Ear(hub, "user:ann:notifications", "user:bob:notifications", "announcement")
    answered = [
        service.notify("ann", "info", "a", ""),
        service.notify("bob", "info", "b", ""),
        service.announce("c", ""),
        service.notify("ann", "error", "d", ""),
        service.announce("e", ""),
    ]
    assert answered == [1, 1, 1, 2, 2]
    assert [one.payload["id"] for one in ear.heard] == answered


def test_a_user_may_be_told_before_listening(hub, service):
    assert service.notify("ann", "info", "early", "") == 1
    ear = Ear(hub, "user:ann:notifications")
    assert service.notify("ann", "info", "late", "") == 2
    assert [(one.seq, one.payload["id"]) for one in ear.heard] == [(2, 2)]
    assert ear.snapshots == []


def test_to_ensure_twice_keeps_listeners_and_numbers(hub, service):
    service.notify("ann", "info", "one", "")
    ear = Ear(hub, "user:ann:notifications")
    service.ensure("ann")
    service.notify("ann", "info", "two", "")
    assert [(one.seq, one.payload["id"]) for one in ear.heard] == [(2, 2)]


def test_neither_channel_has_snapshots(hub, service):
    service.notify("ann", "info", "one", "")
    service.announce("two", "")
    assert Ear(hub, "user:ann:notifications", "announcement").snapshots == []


def test_the_source_time_goes_along_if_there_is_one(hub, service):
    service.ensure("ann")
    ear = Ear(hub, "user:ann:notifications")
    service.notify("ann", "info", "t", "", source_at=12.5)
    service.notify("ann", "info", "t", "")
    assert [one.source_at for one in ear.heard] == [12.5, None]


def test_a_level_that_there_is_not(hub, service):
    with pytest.raises(UsageError, match="level 'fatal'; expected info, warning or error"):
        service.notify("ann", "fatal", "t", "b")
    assert "user:ann:notifications" not in hub.channels
