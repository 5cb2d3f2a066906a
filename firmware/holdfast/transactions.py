"""Transactions: when one starts, what is worth telling about it, and when it ends. The policy of block E.

A transaction follows TxStartPoint and TxStopPoint (here: EVConnected, Authorized, PowerPathClosed). Energy flows only
to an authorised driver with a cable in, on an EVSE that is sound and in service; every doubt means no energy.

What is to be told is made into bytes at once, and what is sent is made of these bytes: so an event that waits on flash
for the CSMS is the same as one that waits in memory.
"""

import struct

from .reservations import TOKEN_TYPES, name_at, place

# Every name that an event may have in it. Stored as their places, so the list only ever grows at the end; a name that
# is a part of another stands before it, because `place` looks for a text.
_NAMES = (
    "Started Updated Ended Idle EVConnected SuspendedEV SuspendedEVSE Charging Authorized CablePluggedIn Remote"
    " RemoteStart RemoteStop StopAuthorized Deauthorized Timeout EVConnectTimeout EVCommunicationLost AbnormalCondition"
    " ResetCommand ChargingStateChanged DeAuthorized EVDisconnected ImmediateReset Local PowerLoss Reboot EmergencyStop"
    " GroundFault OvercurrentFault PowerQuality Other"
)

# Transaction id, number of the event, UTC, reservation id, remote start id, then names, which of the two ids there
# are, EVSE, connector, token type. The token follows.
_EVENT = ">36sIIiiBBBBBBBB"
_RUNNING = ">36sII"  # id, number of the next event, UTC of the last


class Authorization:
    """Who may charge: `token` and `group` (or None) as (id_token, type), since when (`since`, monotonic ms).

    `reservation_id` and `remote_start_id` (None when there is none) go out once, with the token, in the first event
    after the authorization; `told` remembers that they did.
    """

    told = False
    refused = False  # by the CSMS, in the answer to an event: no energy any more (E05)

    def __init__(self, token, group, since, reservation_id=None, remote_start_id=None):
        self.token = token
        self.group = group
        self.since = since
        self.reservation_id = reservation_id
        self.remote_start_id = remote_start_id


class Transaction:
    """A running transaction: `id` is a UUID, `seq_no` the number of its next event."""

    state = None  # ChargingStateEnumType of the last event
    evse_told = False  # evse goes out once, in the first event after the car is connected (E01.FR.16)

    def __init__(self, transaction_id, seq_no=0):
        self.id = transaction_id
        self.seq_no = seq_no

    def record(self, utc):
        """The bytes on flash of a transaction that runs: enough to end it after a power cut. `utc` or None: now."""
        return struct.pack(_RUNNING, self.id.encode(), self.seq_no, utc or 0)


class Event:
    """One thing to tell: the facts of a TransactionEventRequest. Attributes that are None are left out."""

    utc = None  # when it happened, in seconds since 1970; None while nobody knew the time
    stopped_reason = None  # ReasonEnumType
    token = None  # (id_token, type)
    reservation_id = None
    remote_start_id = None
    evse_id = None
    connector_id = None

    def __init__(self, kind, trigger, transaction, state):
        self.kind = kind  # Started, Updated or Ended
        self.trigger = trigger  # TriggerReasonEnumType
        self.transaction_id = transaction.id
        self.seq_no = transaction.seq_no
        transaction.seq_no += 1
        self.state = state  # ChargingStateEnumType

    def record(self):
        """The bytes that stand for it, in memory and on flash: at most 96 of them."""
        token, token_type = self.token or ("", None)
        # An id of 0 is an id: which of them there are has a place of its own.
        given = (self.reservation_id is not None) + 2 * (self.remote_start_id is not None)
        return struct.pack(
            _EVENT, self.transaction_id.encode(), self.seq_no, self.utc or 0, self.reservation_id or 0,
            self.remote_start_id or 0, place(_NAMES, self.kind), place(_NAMES, self.trigger), place(_NAMES, self.state),
            place(_NAMES, self.stopped_reason), given, self.evse_id or 0, self.connector_id or 0,
            place(TOKEN_TYPES, token_type),
        ) + token.encode()


def event_from(data):
    """The Event that `record()` made these bytes of. ValueError or IndexError if they cannot be one."""
    head = struct.calcsize(_EVENT)
    (transaction_id, seq_no, utc, reservation_id, remote_start_id, kind, trigger, state, reason, given, evse_id,
     connector_id, token_type) = _unpack(_EVENT, data[:head])
    event = Event(name_at(_NAMES, kind), name_at(_NAMES, trigger), Transaction(transaction_id.decode(), seq_no),
                  name_at(_NAMES, state))
    event.utc = utc or None
    event.stopped_reason = name_at(_NAMES, reason)
    if given & 1:
        event.reservation_id = reservation_id
    if given & 2:
        event.remote_start_id = remote_start_id
    event.evse_id = evse_id or None
    event.connector_id = connector_id or None
    if token_type:
        event.token = (data[head:].decode(), name_at(TOKEN_TYPES, token_type))
    return event


def ended_by_power_cut(data, reason):
    """The Event that ends the transaction of a former run, of which `Transaction.record()` made these bytes.

    `reason`: PowerLoss or Reboot of ReasonEnumType. What charged then is not known to be there still, so it is not
    taken up again: whoever wants energy presents a token. Its `utc` is that of the event before: it is not earlier.
    ValueError if these bytes cannot be a transaction.
    """
    transaction_id, seq_no, utc = _unpack(_RUNNING, data)
    event = Event("Ended", "AbnormalCondition", Transaction(transaction_id.decode(), seq_no), None)
    event.utc = utc or None
    event.stopped_reason = reason
    return event


def _unpack(layout, data):
    if len(data) != struct.calcsize(layout):
        raise ValueError("record of another length")
    return struct.unpack(layout, data)


def charging_state(evse, in_service):
    """ChargingStateEnumType that follows from the facts of an EVSE."""
    if not evse.plugged:
        return "Idle"
    if not evse.authorization:
        return "EVConnected"
    if not in_service or evse.authorization.refused:
        return "SuspendedEVSE"
    return "SuspendedEV" if evse.suspended else "Charging"


def advance(evse, trigger, in_service, start_points, stop_points, new_id, token=None, reason=None):
    """Follow up on one changed fact of an EVSE; returns the Events to tell, in order.

    `trigger` (TriggerReasonEnumType) names the change, made just before the call; `new_id()` makes a transaction id.
    `reason` is the stoppedReason should this end a transaction: whoever takes something away from the driver gives one,
    and with it nothing begins. `token` is the one that ended the authorization, if it was one. Points are texts with
    names in them (E01.FR.02–05, E06.FR.02–06).
    """
    connected = evse.plugged
    state = charging_state(evse, in_service)
    kind = "Updated"
    if not evse.transaction:
        if reason or not (in_service and (
                connected and "EVConnected" in start_points
                or evse.authorization and (
                    "Authorized" in start_points or connected and "PowerPathClosed" in start_points))):
            return ()
        evse.transaction = Transaction(new_id())
        kind = "Started"
    # Without a driver and without a car it is over, whatever TxStopPoint says (E09.FR.01, E03.FR.05); so it is with a
    # fault and before a restart.
    elif reason and (not connected or trigger in ("AbnormalCondition", "ResetCommand")
                     or "Authorized" in stop_points or "PowerPathClosed" in stop_points):
        event = _event("Ended", trigger, evse, state, token)
        event.stopped_reason = reason
        evse.transaction = None
        return (event,)
    events = ()
    if trigger != "ChargingStateChanged":
        # The power path closes after what is told: that is an event of its own.
        events = (_event(kind, trigger, evse, "EVConnected" if state == "Charging" else state, token),)
    if evse.transaction.state != state:
        events += (_event("Updated", "ChargingStateChanged", evse, state),)
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
    if evse.plugged and not transaction.evse_told:
        transaction.evse_told = True
        event.evse_id = evse.id
        event.connector_id = evse.plugged
    return event
