"""EVSEs and connectors: the facts about them, and the status that follows from the facts.

A connector's status is a pure function of facts and is never set by anybody. That is why a reserved EVSE that goes
out of service reports Unavailable once, without an Available in between, and why nothing can forget to notify.
"""


class Connector:
    """One connector: `id` 1..m within its EVSE, `type` of ConnectorEnumType, `operative` as last asked for."""

    operative = True
    queued = None  # the status that was last sent, or waits to be; None before the first report
    told = None  # the status the CSMS has confirmed

    def __init__(self, connector_id, connector_type):
        self.id = connector_id
        self.type = connector_type


class Evse:
    """One EVSE: `id` 1..n, and what is known about it right now. `bit` stands for it in sets of EVSEs."""

    operative = True  # as ChangeAvailability left it
    fault = None  # the fault code, None while sound
    plugged = None  # id of the connector that has a cable in it
    shut_in = False  # the cable came while the EVSE was Reserved: nothing changes until a token (G01.FR.09)
    suspended = False  # the car asks for a pause
    closed = False  # its contactor, as far as was commanded
    authorization = None  # transactions.Authorization of the driver who may charge here
    transaction = None  # transactions.Transaction that runs here

    def __init__(self, evse_id, connector_types):
        self.id = evse_id
        self.bit = 1 << (evse_id - 1)
        self.connectors = []
        for connector_type in connector_types:
            self.connectors.append(Connector(len(self.connectors) + 1, connector_type))

    def connector(self, connector_id):
        """The connector with that id, or None."""
        for connector in self.connectors:
            if connector.id == connector_id:
                return connector
        return None

    def has_type(self, connector_type):
        """Is there a connector of that type at all?"""
        for connector in self.connectors:
            if connector.type == connector_type:
                return True
        return False

    def usable_types(self, connector_type):
        """Is there an operative connector of that type (of any type for None)?"""
        for connector in self.connectors:  # asked after every event: no list, no garbage
            if connector.operative and (connector_type is None or connector.type == connector_type):
                return True
        return False

    def idle(self):
        """No cable, no driver, no transaction."""
        return not (self.plugged or self.authorization or self.transaction)

    def waits_for_holder(self):
        """Could the holder of a reservation use this EVSE: idle, or with a cable that came while it was Reserved."""
        return self.idle() or (self.shut_in and not self.authorization)


class Site:
    """All EVSEs of the station, and whether the station as a whole is operative."""

    def __init__(self, layout):
        """`layout`: one tuple of connector types for each EVSE."""
        self.operative = True
        self.evses = []
        for connector_types in layout:
            self.evses.append(Evse(len(self.evses) + 1, connector_types))

    def evse(self, evse_id):
        """The EVSE with that id, or None."""
        for evse in self.evses:
            if evse.id == evse_id:
                return evse
        return None

    def operative_target(self, evse):
        """Does ChangeAvailability want this EVSE in service, it and the whole station?"""
        return self.operative and evse.operative and evse.usable_types(None)

    def in_service(self, evse):
        """Neither faulted nor out of service. What was asked for during a transaction waits for its end (G03.FR.05)."""
        return evse.fault is None and (self.operative_target(evse) or evse.transaction is not None)

    def status(self, evse, connector, reserved):
        """ConnectorStatusEnumType that follows from the facts; `reserved`: the EVSE is kept for somebody."""
        if evse.fault is not None:
            return "Faulted"
        if not evse.transaction and not (self.operative and evse.operative and connector.operative):
            return "Unavailable"
        if reserved and not evse.authorization:
            return "Reserved"  # with a cable in it too (G01.FR.09)
        return "Occupied" if evse.plugged == connector.id else "Available"
