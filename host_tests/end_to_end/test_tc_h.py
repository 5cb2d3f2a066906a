"""OCPP 2.0.1 Part 6, the test cases of block H and TC_B_24 for a charging station, with the errata of 2025-09.

Each case that has a station version is a test here under its id, with its steps and validations; those that can be
run with a local or a remote start are run with both. Where a test case and the specification disagree the
specification leads (Part 6 §1.2); a comment says so. TC_H_05, TC_H_11 and TC_H_20 have no station version.
"""

import pytest
from desk import GROUP, MEMBER, ONE_EVSE, TOKEN1, TOKEN2

local_and_remote = pytest.mark.parametrize("how", ["local", "remote"])
TYPE2 = {"connectorType": "sType2"}     # EVSE 2 has it, its only connector
START_POINT = "TxCtrlr.TxStartPoint"


@local_and_remote
@pytest.mark.parametrize("start_point", ["PowerPathClosed", "Authorized", "EVConnected"])
async def test_tc_h_01_specific_evse_accepted_and_used_with_a_valid_token(station, how, start_point):
    """H01.FR.03, H01.FR.15, H01.FR.23, H03.FR.01, H03.FR.09, H03.FR.10: the whole use, told once."""
    async with station(variables={START_POINT: start_point}) as desk:
        assert await desk.reserve(7, 1) == "Accepted"
        await desk.statuses("Reserved", 1)
        await desk.authorize(how, TOKEN1, asked=False)
        await desk.statuses("Available", 1)
        await desk.charge(TOKEN1, how=how, reservation_id=7)
        await desk.quiet()


@pytest.mark.parametrize("start_point", ["PowerPathClosed", "EVConnected"])
async def test_tc_h_02_a_specific_evse_another_token_at_the_reader_gets_no_energy(station, start_point):
    """H03.FR.01, G01.FR.09, G03.FR.09: no energy for another token, and the holder's still gets it."""
    async with station(variables={START_POINT: start_point}) as desk:
        assert await desk.reserve(7, 1, TOKEN1) == "Accepted"
        await desk.statuses("Reserved", 1)
        # The test case wants Occupied here; by G01.FR.09 (errata) nothing changes until the holder comes.
        await desk.console("plug 1 1")
        if start_point == "EVConnected":
            await desk.expect("TransactionEvent", {"eventType": "Started",
                                                   "transactionInfo.chargingState": "EVConnected"})
        await desk.swipe(TOKEN2, 1)
        await desk.quiet()
        await desk.authorize("local", TOKEN1, asked=False)
        await desk.link.status(1, 1, "Occupied")
        await desk.link.status(1, 2, "Available")
        await desk.charging(TOKEN1, reservation_id=7)
        await desk.quiet()


async def test_tc_h_02_b_specific_evse_remote_start_of_another_token_is_rejected(station):
    """H03.FR.01, F01.FR.21, F01.FR.22: Rejected, and nothing changes."""
    async with station() as desk:
        assert await desk.reserve(7, 1, TOKEN1) == "Accepted"
        await desk.statuses("Reserved", 1)
        await desk.console("plug 1 1")
        assert await desk.remote_start(TOKEN2, 1) == "Rejected"
        assert await desk.remote_start(TOKEN2, 1, groupIdToken=GROUP) == "Rejected"
        await desk.quiet()


async def test_tc_h_03_specific_evse_that_is_reserved_already(station):
    """H01.FR.11: Occupied."""
    async with station() as desk:
        assert await desk.reserve(7, 1, TOKEN1) == "Accepted"
        await desk.statuses("Reserved", 1)
        assert await desk.reserve(8, 1, TOKEN2) == "Occupied"
        await desk.quiet()


async def test_tc_h_04_specific_evse_that_is_in_use(station):
    """H01.FR.11: Occupied. (The test case cites H01.FR.13, which Edition 3 does not have.)"""
    async with station() as desk:
        await desk.authorize("local", TOKEN1)
        await desk.charge(TOKEN1)
        assert await desk.reserve(8, 1, TOKEN2) == "Occupied"
        await desk.quiet()


async def test_tc_h_06_specific_evse_that_is_unavailable(station):
    """H01.FR.14: Unavailable."""
    async with station() as desk:
        assert await desk.change_availability("Inoperative", id=1) == "Accepted"
        await desk.statuses("Unavailable", 1)
        assert await desk.reserve(8, 1, TOKEN2) == "Unavailable"
        await desk.quiet()


@local_and_remote
async def test_tc_h_07_reservation_expires(station, how):
    """H04.FR.01, H04.FR.02, H04.FR.03: Available, then Expired, and another token may charge."""
    async with station() as desk:
        assert await desk.reserve(7, 1, TOKEN1, seconds=60) == "Accepted"
        await desk.statuses("Reserved", 1)
        await desk.pass_time(61)
        await desk.link.expect_in_order(
            ("StatusNotification", {"evseId": 1, "connectorId": 1, "connectorStatus": "Available"}),
            ("StatusNotification", {"evseId": 1, "connectorId": 2, "connectorStatus": "Available"}),
            ("ReservationStatusUpdate", {"reservationId": 7, "reservationUpdateStatus": "Expired"}))
        await desk.quiet()
        await desk.authorize(how, TOKEN2)
        await desk.charge(TOKEN2, how=how)
        await desk.quiet()


@local_and_remote
@pytest.mark.parametrize("evses", [None, ONE_EVSE], ids=["two EVSEs", "one EVSE"])
async def test_tc_h_08_unspecified_evse_accepted_and_used(station, how, evses):
    """H01.FR.04, H01.FR.07, H01.FR.15, H01.FR.18, H01.FR.20, H03.FR.03: token 1 charges where it likes."""
    async with station(evses=evses) as desk:
        assert await desk.reserve(7, None, TOKEN1) == "Accepted"
        if evses is ONE_EVSE:
            await desk.statuses("Reserved", 1)
        await desk.quiet()  # with a spare EVSE nothing is Reserved (H01.FR.20; errata §6.2.60 makes the step optional)
        await desk.authorize(how, TOKEN1, asked=False)
        if evses is ONE_EVSE:
            await desk.statuses("Available", 1)
        await desk.charge(TOKEN1, how=how, reservation_id=7)
        await desk.quiet()


async def test_tc_h_09_unspecified_evse_when_all_are_reserved(station):
    """H01.FR.11: Occupied."""
    async with station() as desk:
        assert await desk.reserve(7, 1, TOKEN1) == "Accepted"
        assert await desk.reserve(8, 2, TOKEN1) == "Accepted"
        await desk.statuses("Reserved")
        assert await desk.reserve(9, None, TOKEN2) == "Occupied"
        await desk.quiet()


async def test_tc_h_10_unspecified_evse_when_all_are_in_use(station):
    """H01.FR.11: Occupied. (The test case cites H01.FR.13, which Edition 3 does not have.)"""
    async with station() as desk:
        await desk.authorize("local", TOKEN1, 1)
        await desk.charge(TOKEN1, 1)
        await desk.authorize("local", TOKEN2, 2)
        await desk.charge(TOKEN2, 2)
        assert await desk.reserve(9, None, MEMBER) == "Occupied"
        await desk.quiet()


async def test_tc_h_12_unspecified_evse_when_the_station_is_unavailable(station):
    """H01.FR.14: Unavailable."""
    async with station() as desk:
        assert await desk.change_availability("Inoperative") == "Accepted"
        await desk.statuses("Unavailable")
        assert await desk.reserve(9, None, TOKEN1) == "Unavailable"
        await desk.quiet()


async def test_tc_h_13_unspecified_evse_when_that_is_not_supported(station):
    """H01.FR.19: Rejected."""
    async with station(variables={"ReservationCtrlr.NonEvseSpecific": "false"}) as desk:
        assert await desk.get_variable("ReservationCtrlr.NonEvseSpecific") == "false"
        assert await desk.reserve(9, None, TOKEN1) == "Rejected"
        await desk.quiet()


async def test_tc_h_14_as_many_unspecified_reservations_as_evses(station):
    """H01.FR.04, H01.FR.20: each Accepted; with the last one all connectors are Reserved."""
    async with station() as desk:
        assert await desk.reserve(7, None, TOKEN1) == "Accepted"
        await desk.quiet()
        assert await desk.reserve(8, None, TOKEN2) == "Accepted"
        await desk.statuses("Reserved")
        await desk.quiet()


@local_and_remote
@pytest.mark.parametrize("evse_id, connector_type", [(2, "sType2"), (1, "cCCS2")])
async def test_tc_h_15_connector_type_accepted_and_used(station, how, evse_id, connector_type):
    """H01.FR.06, H01.FR.09, H01.FR.15, H01.FR.24, H03.FR.02: the EVSE that has the only one is Reserved, then used."""
    async with station() as desk:
        assert await desk.reserve(7, None, TOKEN1, connectorType=connector_type) == "Accepted"
        # All connectors of it: the test case wants those of other types Unavailable, the note of H01.FR.24 Reserved.
        await desk.statuses("Reserved", evse_id)
        await desk.quiet()
        await desk.authorize(how, TOKEN1, evse_id, asked=False)
        await desk.statuses("Available", evse_id)
        await desk.charge(TOKEN1, evse_id, how=how, reservation_id=7)
        await desk.quiet()


async def test_tc_h_16_connector_type_when_all_evses_are_reserved(station):
    """H01.FR.11: Occupied."""
    async with station() as desk:
        assert await desk.reserve(7, 1, TOKEN1) == "Accepted"
        assert await desk.reserve(8, 2, TOKEN1) == "Accepted"
        await desk.statuses("Reserved")
        assert await desk.reserve(9, None, TOKEN2, **TYPE2) == "Occupied"
        await desk.quiet()


async def test_tc_h_17_cancel(station):
    """H02.FR.02, H02.FR.04: Accepted, each connector Available, and no ReservationStatusUpdate."""
    async with station() as desk:
        assert await desk.reserve(7, 1) == "Accepted"
        await desk.statuses("Reserved", 1)
        assert await desk.cancel(7) == "Accepted"
        await desk.statuses("Available", 1)  # errata §6.2.62: for each connector
        await desk.quiet()


async def test_tc_h_18_cancel_an_unknown_reservation(station):
    """H02.FR.01: Rejected."""
    async with station() as desk:
        assert await desk.cancel(1) == "Rejected"
        await desk.quiet()


@pytest.mark.parametrize("how, told", [("local", None), ("remote", None), ("remote", GROUP)])
async def test_tc_h_19_used_by_a_member_of_the_reserved_group(station, how, told):
    """H01.FR.15, H03.FR.04, H03.FR.08, H03.FR.09: the CSMS tells the group, at the start or when it is asked."""
    async with station() as desk:
        assert await desk.reserve(7, 1, TOKEN1, groupIdToken=GROUP) == "Accepted"
        await desk.statuses("Reserved", 1)
        more = {"groupIdToken": told} if told else {}
        await desk.authorize(how, MEMBER, asked=told is None, **more)
        await desk.statuses("Available", 1)
        await desk.charge(MEMBER, how=how, reservation_id=7)
        await desk.quiet()


@local_and_remote
async def test_tc_h_21_reserved_evse_becomes_unavailable(station, how):
    """H01.FR.17: Unavailable without an Available before it, Removed; Operative again, the reservation is gone."""
    async with station() as desk:
        assert await desk.reserve(7, 1, TOKEN1) == "Accepted"
        await desk.statuses("Reserved", 1)
        assert await desk.change_availability("Inoperative", id=1) == "Accepted"
        await desk.statuses("Unavailable", 1)
        await desk.expect("ReservationStatusUpdate", reservationId=7, reservationUpdateStatus="Removed")
        await desk.quiet()
        assert await desk.change_availability("Operative", id=1) == "Accepted"
        await desk.statuses("Available", 1)
        await desk.authorize(how, TOKEN2)
        await desk.charge(TOKEN2, how=how)
        await desk.quiet()


@pytest.mark.parametrize("variable", ["Enabled", "Available"])
async def test_tc_h_22_configured_to_reject_reservations(station, variable):
    """H01.FR.01: Rejected, not a CALLERROR. The prerequisite Available=false and the condition Enabled, each alone."""
    factory = {"ReservationCtrlr.Available": "false"} if variable == "Available" else {}
    async with station(variables=factory) as desk:
        if variable == "Enabled":
            assert await desk.set_variable("ReservationCtrlr.Enabled", "false") == "Accepted"
        assert await desk.reserve(7, 1) == "Rejected"
        await desk.quiet()


@local_and_remote
async def test_tc_h_23_replaced_by_a_reservation_with_the_same_id(station, how):
    """H01.FR.02: Accepted, and token 2 may charge."""
    async with station() as desk:
        assert await desk.reserve(7, 1, TOKEN1) == "Accepted"
        await desk.statuses("Reserved", 1)
        assert await desk.reserve(7, 1, TOKEN2) == "Accepted"
        await desk.quiet()  # Reserved it was and stays: the validation names a status that no step sends
        await desk.swipe(TOKEN1, 1)
        await desk.quiet()
        await desk.authorize(how, TOKEN2, asked=False)
        await desk.statuses("Available", 1)
        await desk.charge(TOKEN2, how=how, reservation_id=7)
        await desk.quiet()


@pytest.mark.parametrize("how, told", [("local", None), ("remote", None), ("remote", GROUP)])
async def test_tc_h_24_unspecified_evse_used_by_a_member_of_the_reserved_group(station, how, told):
    """H01.FR.15, H01.FR.20, H03.FR.06: with one EVSE, as the test case has it."""
    async with station(evses=ONE_EVSE) as desk:
        assert await desk.reserve(7, None, TOKEN1, groupIdToken=GROUP) == "Accepted"
        await desk.statuses("Reserved", 1)
        more = {"groupIdToken": told} if told else {}
        await desk.authorize(how, MEMBER, asked=told is None, **more)
        await desk.statuses("Available", 1)
        await desk.charge(MEMBER, how=how, reservation_id=7)
        await desk.quiet()


async def test_tc_b_24_reserved_persists_a_reset(station):
    """B01.FR.13, B11.FR.01, B11.FR.03, B11.FR.04, B11.FR.05, B01.FR.03: RemoteReset, then Reserved again."""
    async with station() as desk:
        assert await desk.reserve(7, 1, TOKEN1) == "Accepted"
        await desk.statuses("Reserved", 1)
        # Immediate: a pending reservation is no idleness, so OnIdle would be Scheduled (errata §2.14, §6.2.16).
        assert (await desk.call("Reset", {"type": "Immediate"})) == {"status": "Accepted"}
        assert await desk.registered("RemoteReset") == {(1, 1): "Reserved", (1, 2): "Reserved", (2, 1): "Available"}
        await desk.quiet()
        await desk.authorize("local", TOKEN1, asked=False)
        await desk.statuses("Available", 1)
        await desk.charge(TOKEN1, reservation_id=7)
        await desk.quiet()
