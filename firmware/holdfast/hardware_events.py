"""What happens at the EVSEs: the events that hardware drivers, and the console in their stead, report to the station.

Each is a method with the time (`now`, monotonic ms); each returns a few words on what came of it, and raises
ValueError for an EVSE or connector that does not exist or for what cannot have happened.
"""

from holdfast.authorization import choose
from holdfast.blocks import authorization, transactions


class HardwareEvents:
    """The part of Station that hardware drivers call; its `site`, `reservations`, `log` and `settle` are Station's."""

    def plugged(self, now, evse_id, connector_id):
        """A cable connects a car to a connector."""
        evse = self._evse(evse_id)
        if evse.connector(connector_id) is None:
            raise ValueError("EVSE %d has no connector %d" % (evse_id, connector_id))
        if evse.plugged is not None:
            raise ValueError("EVSE %d has a cable in already" % evse_id)
        evse.shut_in = evse.idle() and self.is_reserved(evse)  # G01.FR.09
        evse.plugged = connector_id
        transactions.follow(self, now, evse, "CablePluggedIn")
        self.settle(now)
        return "plugged in"

    def unplugged(self, now, evse_id):
        """The cable is gone, and with it the driver's authorization (E09.FR.01)."""
        evse = self._evse(evse_id)
        if evse.plugged is None:
            raise ValueError("EVSE %d has no cable in" % evse_id)
        evse.plugged = None
        evse.shut_in = evse.suspended = False
        authorization.withdraw(self, now, evse, "EVCommunicationLost", "EVDisconnected")
        self.settle(now)
        return "unplugged"

    def presented(self, now, id_token, token_type, evse_id=None):
        """A token is presented, at an EVSE or at a reader that serves them all."""
        token = (id_token, token_type)
        evse = choose(self.site, self.reservations, token) if evse_id is None else self._evse(evse_id)
        words = authorization.present(self, now, evse, token) if evse else "refused: no EVSE for this token"
        self.settle(now)
        return words if evse is None else "EVSE %d: %s" % (evse.id, words)

    def fault(self, now, evse_id, code):
        """The EVSE is not sound any more. `code` is the driver's own; some are ReasonEnumType."""
        evse = self._evse(evse_id)
        evse.fault = code
        evse.authorization = None
        reason = code if code in ("EmergencyStop", "GroundFault", "OvercurrentFault", "PowerQuality") else "Other"
        if evse.transaction:
            transactions.follow(self, now, evse, "AbnormalCondition", None, reason)
        self.log("error", "EVSE %d faulted: %s" % (evse_id, code))
        self.settle(now)
        return "faulted"

    def fault_cleared(self, now, evse_id):
        """The EVSE is sound again. What the fault took away does not come back."""
        evse = self._evse(evse_id)
        if evse.fault is None:
            raise ValueError("EVSE %d is not faulted" % evse_id)
        evse.fault = None
        self.settle(now)
        return "fault cleared"

    def suspended(self, now, evse_id):
        """The car asks for a pause."""
        return self._pause(now, evse_id, True)

    def resumed(self, now, evse_id):
        """The car wants energy again."""
        return self._pause(now, evse_id, False)

    def _pause(self, now, evse_id, pause):
        evse = self._evse(evse_id)
        if evse.plugged is None:
            raise ValueError("EVSE %d has no cable in" % evse_id)
        evse.suspended = pause
        if evse.transaction:
            transactions.follow(self, now, evse, "ChargingStateChanged")
        self.settle(now)
        return "suspended by the car" if pause else "resumed by the car"

    def _evse(self, evse_id):
        evse = self.site.evse(evse_id)
        if evse is None:
            raise ValueError("no EVSE %s" % evse_id)
        return evse
