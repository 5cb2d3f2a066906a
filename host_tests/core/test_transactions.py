"""Transactions: TxStartPoint and TxStopPoint in every combination, and what each event says."""

from fakes import Desk, id_token

POINTS = ("EVConnected", "Authorized", "PowerPathClosed")
# Every sequence begins and ends with an EVSE where nobody is. "token" is presented, and presented again to stop.
SEQUENCES = (
    "plug token token unplug", "plug token unplug", "token plug token unplug", "token plug unplug", "plug unplug",
    "token timeout", "token token", "plug token token token unplug", "token plug token token token unplug",
)


def subsets():
    """The seven non-empty lists of points, as the variables spell them."""
    return [",".join([p for i, p in enumerate(POINTS) if bits >> i & 1]) for bits in range(1, 8)]


def do(desk, step):
    if step == "plug":
        desk.plug(1)
    elif step == "unplug":
        desk.unplug(1)
    elif step == "token":
        desk.swipe("DRIVER01", 1)
    else:
        desk.wait(61)


def expectation(steps, start, stop):
    """What each step does to the transaction ("Started", "Ended" or None), told independently of the firmware.

    Started when a listed start condition becomes true (E01), Ended when a listed stop condition ceases (E06), or when
    neither car nor driver is left: a car that leaves takes the authorization along (E09.FR.01), and one that never
    comes ends all (E03.FR.05).
    """
    plugged = authorized = running = False
    told = []
    for step in steps:
        was_authorized = authorized
        if step == "token":
            authorized = not authorized
        elif step == "plug":
            plugged = True
        else:
            plugged = authorized = False
        if running:
            over = not (plugged or authorized) or (
                was_authorized and not authorized and ("Authorized" in stop or "PowerPathClosed" in stop))
            told.append("Ended" if over else None)
            running = not over
        else:
            rising = step == "plug" or (step == "token" and authorized)
            running = rising and ((plugged and "EVConnected" in start) or (authorized and "Authorized" in start)
                                  or (plugged and authorized and "PowerPathClosed" in start))
            told.append("Started" if running else None)
        told[-1] = (told[-1], running and plugged and authorized)
    return told


def desk_for(start="PowerPathClosed", stop="EVConnected,Authorized", **variables):
    values = {"TxCtrlr.TxStartPoint": start, "TxCtrlr.TxStopPoint": stop}
    for name in variables:
        values["TxCtrlr." + name] = variables[name]
    return Desk(variables=values)


def check_combinations(starts, stops):
    for start in starts:
        for stop in stops:
            desk = desk_for(start, stop)
            for sequence in SEQUENCES:
                steps = sequence.split()
                expected = expectation(steps, start.split(","), stop.split(","))
                for index, step in enumerate(steps):
                    desk.clear()
                    do(desk, step)
                    kinds = [kind for kind, _, _ in desk.events() if kind != "Updated"]
                    context = (start, stop, sequence, index, desk.events())
                    assert kinds == [expected[index][0]] or (kinds == [] and expected[index][0] is None), context
                    assert desk.hardware.closed.get(1, False) == expected[index][1], context
                assert desk.station.evses[0].transaction is None, (start, stop, sequence)


def test_starts_and_ends_when_the_transaction_starts_with_the_car():
    check_combinations([s for s in subsets() if s == "EVConnected"], subsets())


def test_starts_and_ends_when_the_transaction_starts_with_the_driver():
    check_combinations(["Authorized", "Authorized,PowerPathClosed"], subsets())


def test_starts_and_ends_when_the_transaction_starts_with_both():
    check_combinations(["PowerPathClosed"], subsets())


def test_starts_and_ends_when_the_transaction_starts_with_either():
    check_combinations([s for s in subsets() if s.startswith("EVConnected,")], subsets())


def test_seq_no_counts_from_zero_and_the_id_stays():
    desk = desk_for("EVConnected")
    desk.clear()
    desk.plug(1)
    desk.swipe("DRIVER01", 1)
    desk.station.suspended(desk.now, 1)
    desk.pump()
    desk.unplug(1)
    events = desk.of("TransactionEvent")
    assert [e["seqNo"] for e in events] == list(range(len(events)))
    assert [e for e in events if e["transactionInfo"]["transactionId"] != events[0]["transactionInfo"]["transactionId"]
            ] == []


def test_two_transactions_have_two_ids():
    desk = Desk()
    for _ in range(2):
        desk.swipe("DRIVER01", 1)
        desk.plug(1)
        desk.unplug(1)
    ids = [e["transactionInfo"]["transactionId"] for e in desk.of("TransactionEvent") if e["eventType"] == "Started"]
    assert len(ids) == 2 and ids[0] != ids[1]


def test_a_session_is_told_from_start_to_end():
    """Car first, default points: every event, its trigger and its state."""
    desk = Desk()
    desk.clear()
    desk.plug(1)
    desk.swipe("DRIVER01", 1)
    desk.swipe("DRIVER01", 1)
    desk.unplug(1)
    assert desk.events() == [
        ("Started", "Authorized", "EVConnected"),
        ("Updated", "ChargingStateChanged", "Charging"),
        ("Ended", "StopAuthorized", "EVConnected"),
    ]
    assert desk.of("TransactionEvent")[2]["transactionInfo"]["stoppedReason"] == "Local"


def test_evse_and_token_go_out_once():
    """E01.FR.16: evse in the first event after the car connected; B56: not in every event."""
    desk = desk_for("Authorized")
    desk.clear()
    desk.swipe("DRIVER01", 1)
    desk.plug(1, 2)
    events = desk.of("TransactionEvent")
    assert [e.get("evse") for e in events] == [None, {"id": 1, "connectorId": 2}, None]
    assert [e.get("idToken") for e in events] == [id_token("DRIVER01"), None, None]


def test_the_token_that_stops_is_named():
    """E07.FR.02: triggerReason StopAuthorized, with the token used to stop."""
    desk = Desk()
    desk.swipe("DRIVER01", 1)
    desk.plug(1)
    desk.clear()
    desk.swipe("driver01", 1)
    assert desk.of("TransactionEvent")[0]["idToken"] == id_token("driver01")


def test_the_car_that_leaves_ends_the_transaction():
    desk = Desk()
    desk.swipe("DRIVER01", 1)
    desk.plug(1)
    desk.clear()
    desk.unplug(1)
    event = desk.of("TransactionEvent")[0]
    assert (event["eventType"], event["triggerReason"]) == ("Ended", "EVCommunicationLost")
    assert event["transactionInfo"]["stoppedReason"] == "EVDisconnected"
    assert desk.station.evses[0].authorization is None


def test_the_car_that_never_comes_ends_the_transaction():
    """E03.FR.05: EVConnectTimeout, Timeout, whatever TxStopPoint says; a later car does not charge."""
    for stop in subsets():
        desk = desk_for("Authorized", stop)
        desk.swipe("DRIVER01", 1)
        desk.clear()
        desk.wait(59)
        assert desk.events() == []
        desk.wait(2)
        assert desk.events() == [("Ended", "EVConnectTimeout", "Idle")], stop
        assert desk.of("TransactionEvent")[0]["transactionInfo"]["stoppedReason"] == "Timeout"
        desk.plug(1)
        assert not desk.hardware.closed.get(1)


def test_without_a_transaction_the_car_that_never_comes_is_told_to_nobody():
    """C01.FR.26: the authorization is over, and since no transaction had started no event says so."""
    desk = Desk()
    desk.swipe("DRIVER01", 1)
    desk.clear()
    desk.wait(61)
    assert desk.station.evses[0].authorization is None
    assert desk.sent == []


def test_the_car_pauses_and_goes_on():
    desk = Desk()
    desk.swipe("DRIVER01", 1)
    desk.plug(1)
    desk.clear()
    desk.station.suspended(desk.now, 1)
    desk.pump()
    assert not desk.hardware.closed[1]
    desk.station.resumed(desk.now, 1)
    desk.pump()
    assert desk.hardware.closed[1]
    assert desk.events() == [("Updated", "ChargingStateChanged", "SuspendedEV"),
                             ("Updated", "ChargingStateChanged", "Charging")]


def test_a_fault_ends_the_transaction_and_the_energy():
    """E06.FR.16: Ended, AbnormalCondition, with the reason if it is one that OCPP has."""
    for code, reason in (("GroundFault", "GroundFault"), ("EmergencyStop", "EmergencyStop"), ("Fan", "Other")):
        desk = Desk()
        desk.swipe("DRIVER01", 1)
        desk.plug(1)
        desk.clear()
        desk.fault(1, code)
        assert desk.events() == [("Ended", "AbnormalCondition", "EVConnected")]
        assert desk.of("TransactionEvent")[0]["transactionInfo"]["stoppedReason"] == reason
        assert not desk.hardware.closed[1]
        assert desk.status(1) == "Faulted"


def test_the_csms_refuses_the_token_of_a_running_transaction():
    """E05.FR.10: StopTxOnInvalidId: Ended, Deauthorized, DeAuthorized."""
    desk = Desk()
    desk.replies["TransactionEvent"] = lambda p: (
        {"idTokenInfo": {"status": "Blocked"}} if "idToken" in p else {})
    desk.reserve(1, 1)
    desk.plug(1)
    desk.clear()
    desk.swipe("HOLDER01", 1)
    assert desk.events()[-1] == ("Ended", "Deauthorized", "EVConnected")
    assert desk.of("TransactionEvent")[-1]["transactionInfo"]["stoppedReason"] == "DeAuthorized"
    assert not desk.hardware.closed[1]


def test_the_csms_refuses_the_token_and_only_the_car_can_stop():
    """E05.FR.09: no stop point is met: Updated, Deauthorized, and no energy."""
    desk = desk_for(stop="EVConnected")
    desk.replies["TransactionEvent"] = lambda p: (
        {"idTokenInfo": {"status": "Blocked"}} if "idToken" in p else {})
    desk.plug(1)
    desk.swipe("DRIVER01", 1)
    assert desk.events()[-1] == ("Updated", "Deauthorized", "EVConnected")
    assert not desk.hardware.closed[1]
    desk.unplug(1)
    assert desk.events()[-1] == ("Ended", "EVCommunicationLost", "Idle")


def test_the_csms_refuses_the_token_and_the_transaction_is_to_go_on():
    """E05.FR.02: StopTxOnInvalidId false: SuspendedEVSE, no energy, and still running."""
    desk = desk_for(StopTxOnInvalidId="false")
    desk.replies["TransactionEvent"] = lambda p: (
        {"idTokenInfo": {"status": "Blocked"}} if "idToken" in p else {})
    desk.plug(1)
    desk.swipe("DRIVER01", 1)
    assert desk.events()[-1] == ("Updated", "ChargingStateChanged", "SuspendedEVSE")
    assert not desk.hardware.closed[1]
    assert desk.station.evses[0].transaction


def test_what_happens_offline_is_told_later_as_such():
    """E04.FR.03: offline = true, timestamps of when it happened."""
    desk = Desk()
    desk.reserve(1, 1)
    desk.down()
    desk.clear()
    happened = desk.time()
    desk.swipe("HOLDER01", 1)
    desk.plug(1)
    desk.wait(100)
    desk.unplug(1)
    assert desk.sent == []
    desk.up()
    events = desk.of("TransactionEvent")
    assert [e["eventType"] for e in events] == ["Started", "Updated", "Ended"]
    assert [e["offline"] for e in events] == [True, True, True]
    assert events[0]["timestamp"] == happened
    assert events[0]["reservationId"] == 1


def test_the_event_with_the_reservation_id_is_never_dropped():
    """H01.FR.15: when memory runs short, Updated events go, but not the one that ends a reservation."""
    for extra in (0, 1):
        desk = desk_for("EVConnected")
        desk.reserve(1, 1)
        desk.down()
        desk.plug(1)
        for _ in range(extra):
            desk.station.suspended(desk.now, 1)
        desk.swipe("HOLDER01", 1)
        for _ in range(100):
            desk.station.suspended(desk.now, 1)
            desk.station.resumed(desk.now, 1)
            desk.lines = []  # hundreds of them, and a small heap may have no hole for such a list
        desk.clear()
        desk.up()
        events = desk.of("TransactionEvent")
        assert len(events) < 100
        assert [e["reservationId"] for e in events if "reservationId" in e] == [1]


def test_a_refused_event_is_sent_again_and_then_given_up():
    """E13: MessageAttempts in all, growing pauses, then the next event (TC_E_50)."""
    desk = Desk()
    desk.replies["TransactionEvent"] = "InternalError"
    desk.swipe("DRIVER01", 1)
    desk.clear()
    desk.plug(1)
    counts = []
    for seconds in (59, 2, 118, 2):
        desk.wait(seconds)
        counts.append([e["seqNo"] for e in desk.of("TransactionEvent")])
    assert counts == [[0], [0, 0], [0, 0], [0, 0, 0, 1]]


def test_while_an_event_pauses_the_station_sleeps():
    desk = Desk()
    desk.replies["TransactionEvent"] = "InternalError"
    desk.swipe("DRIVER01", 1)
    desk.plug(1)
    assert desk.station.next_tick(desk.now) >= 1000


def test_a_power_cut_gives_the_next_transaction_another_id():
    desk = Desk()
    ids = []
    for _ in range(3):
        desk.reboot()
        desk.swipe("DRIVER01", 1)
        desk.plug(1)
        ids.append(desk.station.evses[0].transaction.id)
    assert ids[0] != ids[1] != ids[2] != ids[0]
