"""Transactions: when one starts, what is worth telling about it, and when it ends. The policy of block E.

A transaction follows TxStartPoint and TxStopPoint (here: EVConnected, Authorized, PowerPathClosed). Energy flows only
to an authorised driver with a cable in, on an EVSE that is sound and in service; every doubt means no energy.
"""

# What takes the driver's authorization away; each of these is a TriggerReasonEnumType.
_WITHDRAWALS = "StopAuthorized RemoteStop Deauthorized EVConnectTimeout EVCommunicationLost"
# What ends a transaction whatever TxStopPoint says.
_ENDINGS = "AbnormalCondition ResetCommand"
# What can start one.
_BEGINNINGS = "CablePluggedIn Authorized RemoteStart"


class Authorization:
    """Who may charge: `token` and `group` (or None) as (id_token, type), since when (`since`, monotonic ms).

    `reservation_id` and `remote_start_id` (None when there is none) go out once, with the token, in the first event
    after the authorization; `told` remembers that they did.
    """

    def __init__(self, token, group, since, reservation_id=None, remote_start_id=None):
        self.token = token
        self.group = group
        self.since = since
        self.reservation_id = reservation_id
        self.remote_start_id = remote_start_id
        self.told = False
        self.refused = False  # by the CSMS, in the answer to an event: no energy any more (E05)


class Transaction:
    """A running transaction: `id` is a UUID, `seq_no` the number of its next event."""

    def __init__(self, transaction_id):
        self.id = transaction_id
        self.seq_no = 0
        self.state = None  # ChargingStateEnumType of the last event
        self.evse_told = False  # evse goes out once, in the first event after the car is connected (E01.FR.16)


class Event:
    """One thing to tell: the facts of a TransactionEventRequest. Attributes that are None are left out."""

    def __init__(self, kind, trigger, transaction, state):
        self.kind = kind  # Started, Updated or Ended
        self.trigger = trigger  # TriggerReasonEnumType
        self.transaction_id = transaction.id
        self.seq_no = transaction.seq_no
        transaction.seq_no += 1
        self.state = state  # ChargingStateEnumType
        self.stopped_reason = None  # ReasonEnumType
        self.token = None  # (id_token, type)
        self.reservation_id = None
        self.remote_start_id = None
        self.evse_id = None
        self.connector_id = None


def charging_state(evse, in_service):
    """ChargingStateEnumType that follows from the facts of an EVSE."""
    if evse.plugged is None:
        return "Idle"
    if evse.authorization is None:
        return "EVConnected"
    if not in_service or evse.authorization.refused:
        return "SuspendedEVSE"
    return "SuspendedEV" if evse.suspended else "Charging"


def advance(evse, trigger, in_service, start_points, stop_points, new_id, token=None, reason=None):
    """Follow up on one changed fact of an EVSE; returns the Events to tell, in order.

    `trigger` (TriggerReasonEnumType) names the change, made just before the call; `new_id()` makes a transaction id;
    `token` is the one that ended the authorization, `reason` the stoppedReason, both when there is one.
    Points are lists of names (E01.FR.02–05, E06.FR.02–06).
    """
    events = []
    authorized = evse.authorization is not None
    connected = evse.plugged is not None
    state = charging_state(evse, in_service)
    if evse.transaction is None:
        if not (in_service and trigger in _BEGINNINGS.split() and (
                (connected and "EVConnected" in start_points)
                or (authorized and "Authorized" in start_points)
                or (connected and authorized and "PowerPathClosed" in start_points))):
            return events
        evse.transaction = Transaction(new_id())
        # The power path closes after the start: that is an event of its own.
        events.append(_event("Started", trigger, evse, "EVConnected" if state == "Charging" else state))
    # Without a driver and without a car it is over, whatever TxStopPoint says (E09.FR.01, E03.FR.05).
    elif trigger in _ENDINGS.split() or (trigger in _WITHDRAWALS.split() and (
            not connected or "Authorized" in stop_points or "PowerPathClosed" in stop_points)):
        event = _event("Ended", trigger, evse, state, token)
        event.stopped_reason = reason
        evse.transaction = None
        events.append(event)
        return events
    elif trigger != "ChargingStateChanged":
        events.append(_event("Updated", trigger, evse, "EVConnected" if state == "Charging" else state, token))
    if evse.transaction.state != state:
        events.append(_event("Updated", "ChargingStateChanged", evse, state))
    return events


def _event(kind, trigger, evse, state, token=None):
    transaction = evse.transaction
    event = Event(kind, trigger, transaction, state)
    transaction.state = state
    authorization = evse.authorization
    event.token = token
    if authorization and not authorization.told:
        authorization.told = True
        event.token = authorization.token
        event.reservation_id = authorization.reservation_id  # once only (E01.FR.13)
        event.remote_start_id = authorization.remote_start_id
        if event.remote_start_id is not None:
            event.trigger = "RemoteStart"  # F02.FR.01, also where the car came later
    if evse.plugged is not None and not transaction.evse_told:
        transaction.evse_told = True
        event.evse_id = evse.id
        event.connector_id = evse.plugged
    return event
