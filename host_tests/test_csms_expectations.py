"""The development CSMS: what a test waits for, and what it is told of a station that breaks the rules."""

import asyncio
import json

import pytest
from csms_peer import BOOT, RESERVE, connected, run, status

from tools.csms import ABSENT, PRESENT, Csms, NotSeen, Violations, matches

# --- matching

def test_a_dict_matches_when_the_named_parts_match():
    payload = {"evseId": 1, "transactionInfo": {"transactionId": "t", "chargingState": "Charging"}, "list": [{"a": 1}]}
    assert matches({"evseId": 1}, payload)
    assert matches({"transactionInfo": {"chargingState": "Charging"}}, payload)
    assert matches({"transactionInfo.chargingState": "Charging", "list.0.a": 1}, payload)
    assert matches({"reservationId": ABSENT, "evseId": PRESENT, "transactionInfo.transactionId": str.islower}, payload)
    assert not matches({"evseId": 2}, payload)
    assert not matches({"evseId": True}, payload)
    assert not matches({"reservationId": PRESENT}, payload)
    assert not matches({"evseId": ABSENT}, payload)
    assert not matches({"list": []}, payload)
    assert not matches({"transactionInfo.chargingState.deeper": "Charging"}, payload)


@run
async def test_expect_takes_the_oldest_match_and_leaves_the_rest():
    async with Csms() as csms, connected(csms) as (station, link):
        await station.call("StatusNotification", status("Reserved", 1, 1))
        await station.call("StatusNotification", status("Reserved", 1, 2))
        await station.call("Heartbeat", {})
        assert (await link.expect("StatusNotification", connectorId=2))["evseId"] == 1
        assert (await link.expect("StatusNotification", connectorStatus="Reserved"))["connectorId"] == 1
        with pytest.raises(NotSeen, match="not consumed: Heartbeat"):
            await link.expect("StatusNotification", timeout=0.05)
        await link.expect("Heartbeat")
        assert len(link.events("StatusNotification")) == 2 and len(link.events()) == 3
        assert link.statuses == {(1, 1): "Reserved", (1, 2): "Reserved"}


@run
async def test_expect_waits_for_what_comes_later():
    async with Csms() as csms, connected(csms) as (station, link):
        waiting = asyncio.create_task(link.expect("Heartbeat"))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await station.call("Heartbeat", {})
        call = await waiting
        assert call == {} and call.action == "Heartbeat" and call.message_id == "s1" and call.link is link


@run
async def test_expect_in_order_refuses_the_wrong_order():
    async with Csms() as csms, connected(csms) as (station, link):
        await station.call("Heartbeat", {})
        await station.call("StatusNotification", status("Available"))
        with pytest.raises(NotSeen, match="expected Heartbeat"):
            await link.expect_in_order(("StatusNotification", {"evseId": 1}), "Heartbeat", timeout=0.05)
        calls = await link.expect_in_order("Heartbeat", ("StatusNotification", {"evseId": 1}))
        assert [call.action for call in calls] == ["Heartbeat", "StatusNotification"]


@run
async def test_nothing_fails_for_what_waits_and_for_what_arrives():
    async with Csms() as csms, connected(csms) as (station, link):
        await link.nothing("Heartbeat", 0.05)
        await station.call("Heartbeat", {})
        await link.nothing("StatusNotification", 0.05)
        with pytest.raises(NotSeen, match="Heartbeat came"):
            await link.nothing("Heartbeat", 0.05)
        assert len(link.forget()) == 1
        waiting = asyncio.create_task(link.nothing(seconds=2))
        await station.call("StatusNotification", status("Available"))
        with pytest.raises(NotSeen):
            await waiting


@run
async def test_expect_ends_at_once_when_the_connection_does():
    async with Csms() as csms, connected(csms) as (station, link):
        waiting = asyncio.create_task(link.expect("Heartbeat", timeout=15))
        await asyncio.sleep(0)
        await station.socket.close(1000)
        with pytest.raises(NotSeen, match="the connection ended: 1000"):
            await waiting


@run
async def test_registered_waits_for_boot_and_every_connector():
    async with Csms() as csms, connected(csms) as (station, link):
        assert (await station.call("BootNotification", BOOT))[2]["status"] == "Accepted"
        for evse_id, connector_id in ((1, 1), (1, 2), (2, 1)):
            await station.call("StatusNotification", status("Available", evse_id, connector_id))
        assert await link.registered(3) == {(1, 1): "Available", (1, 2): "Available", (2, 1): "Available"}
        await link.nothing(seconds=0.01)

# --- what the station may not send

@run
async def test_the_context_raises_for_a_payload_against_the_schema():
    with pytest.raises(Violations, match="connectorStatus"):
        async with Csms() as csms, connected(csms) as (station, link):
            answer = await station.call("StatusNotification", {"timestamp": "2026-01-01T00:00:00Z", "evseId": 1,
                                                               "connectorId": 1})
            assert answer[:2] == [4, "s1"]


def test_every_kind_of_violation_is_recorded():
    @run
    async def scenario():
        for label, frame in (
                ("extra property", [2, "1", "Heartbeat", {"extra": 1}]),
                ("wrong type", [2, "1", "StatusNotification", status("Available", evse_id=True)]),
                ("no enum value", [2, "1", "StatusNotification", status("available")]),
                ("no date", [2, "1", "StatusNotification", dict(status("Available"), timestamp="yesterday")]),
                ("four fraction digits", [2, "1", "StatusNotification",
                                          dict(status("Available"), timestamp="2026-01-01T00:00:00.1234Z")]),
                ("February 30", [2, "1", "StatusNotification",
                                 dict(status("Available"), timestamp="2026-02-30T00:00:00Z")]),
                ("unknown action", [2, "1", "Hearbeat", {}]),
                ("id not a string", [2, 1, "Heartbeat", {}]),
                ("id too long", [2, "x" * 37, "Heartbeat", {}]),
                ("three elements", [2, "1", "Heartbeat"]),
                ("five elements", [2, "1", "Heartbeat", {}, {}]),
                ("payload null", [2, "1", "Heartbeat", None]),
                ("unasked answer", [3, "1", {}]),
                ("unknown error code", [4, "1", "Nonsense", "", {}]),
                ("message type 9", [9, "1", {}]),
                ("no array", {"a": 1})):
            async with Csms() as csms:
                async with connected(csms) as (station, link):
                    await station.socket.send(json.dumps(frame))
                    await station.call("Heartbeat", {})
                assert csms.violations, label
                csms.violations.clear()
    scenario()


@run
async def test_a_message_id_used_again_on_a_later_connection_is_a_violation():
    async with Csms() as csms:
        for _ in range(2):
            async with connected(csms) as (station, link):
                await station.call("Heartbeat", {})
        assert len(csms.violations) == 1 and "used before" in csms.violations[0]
        csms.violations.clear()


@run
async def test_a_response_against_the_schema_is_a_violation():
    async with Csms() as csms, connected(csms) as (station, link):
        waiting = asyncio.create_task(link.call("ReserveNow", RESERVE))
        _, message_id, _, _ = await station.receive()
        await station.send(3, message_id, {"status": "accepted"})
        assert await waiting == {"status": "accepted"}
        assert "ReserveNow" in csms.violations[0]
        csms.violations.clear()


@run
async def test_a_failure_of_the_test_itself_is_not_hidden_by_violations():
    with pytest.raises(ZeroDivisionError) as caught:
        async with Csms() as csms, connected(csms) as (station, link):
            await station.call("Heartbeat", {"extra": 1})
            raise ZeroDivisionError
    assert "extra" in caught.value.__notes__[0]
