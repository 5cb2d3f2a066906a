"""The agent: events in, effects out. It wires the policy of the station to the protocol that speaks of it.

Everything that happens is a method called with the time (`now`, monotonic ms); no method waits, sends or reads
anything. Effects come in a fixed order: records are written, then the CSMS's CALL is answered, then the contactors
are commanded and what changed is told. Whatever the CSMS sends, no method raises; hardware events raise ValueError
for an EVSE or connector that does not exist.
"""

from . import clock, reservations
from .blocks import authorization, availability, provisioning, reservation, security, transactions
from .device_model import Variables
from .evse import Site
from .exchange import Exchange, late_block
from .transactions import charging_state

_LONGEST_WAIT = 60_000  # ms between ticks at the most
_SETTLED = 600_000  # ms from the start: what goes wrong sooner would go wrong after a restart, too
_FLASH_RETRY = 10_000  # ms until a failed write is tried again
_DAY = 86_400_000
_NO_SPACE = 28  # errno of a full file system; everything else that flash may say is a defect


class Station(Exchange):
    """One charging station. `config` as config.load() makes it, `records` a record store as in flash.py, `hardware` a
    driver as in hardware/__init__.py, `urandom(n)` n random bytes, `log(level, text)`."""

    blocks = (provisioning, authorization, transactions, availability, reservation, security)

    def __init__(self, config, records, hardware, urandom, log):
        Exchange.__init__(self, Variables(config.variables), urandom, log)
        self.config = config
        self.records = records
        self.hardware = hardware
        self.clock = clock.Clock()
        put = self.variables.put
        for verb in ("Get", "Set"):
            put("DeviceDataCtrlr.BytesPerMessage[%sVariables]" % verb, str(config.message_limit))
        put("SecurityCtrlr.Identity", config.station_id)
        put("SecurityCtrlr.SecurityProfile", str(config.security_profile))
        if config.password:
            put("SecurityCtrlr.BasicAuthPassword", config.password)
        self.site = Site(config.evses)
        self.evses = self.site.evses
        self.reservations = reservations.Reservations(self.site)
        self.next_boot = None  # when to send the next BootNotification, None when there is nothing to wait for
        self.boot_reason = "PowerUp"
        self.reset_when_idle = False
        self.reboot_requested = None  # the reason, once the edge is to restart the board
        self.reconnect = False  # the edge is to close the link and open it anew, once all is said
        self.security_events = []  # that the CSMS has not confirmed
        self.last_event = 0  # the number in the name of the last record of a TransactionEvent
        self.set_aside = 0  # records at power-on that could not be believed
        self._unremoved = []  # names of records that flash would not let go of
        self._flash_retry = 0
        self._last_sync = 0  # when the time was last asked for
        self._offline_since = 0

    # --- the life of the station

    def start(self, now, boot_reason="PowerUp", crash=""):
        """Power on: take over what flash holds. `boot_reason`: BootReasonEnumType unless a restart was asked for.

        `crash`: what the last run ended by; the CSMS is told, as whoever looks after the station is far away.
        """
        self.boot_reason = boot_reason
        for name, data in self.records.load():
            try:
                self._block_of(name).load(self, now, name, data)
            except (ValueError, IndexError):  # sound, but written by a firmware that thought otherwise
                self.log("error", "record %s makes no sense and is ignored" % name)
                self.set_aside += 1
        for name in self.records.corrupt:
            self.log("error", "record %s is corrupt and was set aside" % name)
            self.set_aside += 1
        self.reservations.enabled = self.variables.true("ReservationCtrlr.Enabled")
        self._offline_since = now
        started = "StartupOfTheDevice" if self.boot_reason == "PowerUp" else "ResetOrReboot"
        security.happened(self, now, started, "%s, %s" % (self.boot_reason, crash) if crash else self.boot_reason)
        self.settle(now)

    def _block_of(self, name):
        """The block that has records of such a name, or ValueError. RECORDS: what their names have before the "-"."""
        kind = name.split("-")[0]
        if kind == "variable":
            return late_block("variables")
        for block in self.blocks:
            if kind in getattr(block, "RECORDS", "").split():
                return block
        raise ValueError

    def link_up(self, now):
        """The WebSocket is open."""
        self.link = True
        if self.registration == "Accepted":
            # A plain reconnect: no BootNotification; the statuses that changed, or all after a long time (B04).
            threshold = self.variables.integer("OCPPCommCtrlr.OfflineThreshold") * 1000
            availability.prepare_reports(self, now - self._offline_since > threshold)
        elif self.next_boot is None or self.next_boot <= now:
            provisioning.boot(self, now)
        self.settle(now)

    def link_down(self, now):
        """The WebSocket is closed, or given up."""
        self.link = False
        self._offline_since = now
        self.rpc.link_down(now)
        self.outbox.link_down(now)
        for ended in self.reservations.ended:
            ended.queued = False
        for event in self.security_events:
            event[2] = False
        self.settle(now)

    def received(self, now, text):
        """One text message from the CSMS."""
        self.rpc.received(now, text)
        self.settle(now)

    def oversize(self, now, head, total):
        """A text message of `total` bytes was too large to keep; `head` are its first bytes."""
        self.rpc.oversize(head, total)
        self.settle(now)

    def tick(self, now):
        """Do what is due by now. To be called when `next_tick` says so, and harmless at any other time."""
        self.rpc.tick(now)
        if self.link and self.next_boot is not None and self.next_boot <= now:
            provisioning.boot(self, now)
        if self.online() and self._heartbeat_due() <= now:
            self._last_call = self._last_sync = now
            self.send("Heartbeat", now)  # the answer sets the clock
        timeout = self.variables.integer("TxCtrlr.EVConnectionTimeOut") * 1000
        for evse in self.evses:
            if evse.authorization and not evse.plugged and now >= evse.authorization.since + timeout:
                self.log("info", "EVSE %d: no car came, authorization over" % evse.id)
                authorization.withdraw(self, now, evse, "EVConnectTimeout", "Timeout")  # C01.FR.26, E03.FR.05
        self.settle(now)

    def next_tick(self, now):
        """Milliseconds from now until `tick` has something to do, from 0 to 60,000."""
        due = now + _LONGEST_WAIT
        if self.rpc.outstanding:
            due = min(due, self.rpc.deadline)
        if self.link and self.next_boot is not None:
            due = min(due, self.next_boot)
        if self.online():
            due = min(due, self._heartbeat_due())
            if self.outbox.waiting and not self.rpc.outstanding:
                due = min(due, self.outbox.next_time())
        for evse in self.evses:
            if evse.authorization and not evse.plugged:
                due = min(due, evse.authorization.since + self.variables.integer("TxCtrlr.EVConnectionTimeOut") * 1000)
        if self._flash_retry > now:
            due = min(due, self._flash_retry)
        utc = self.clock.utc(now)
        if utc is not None:
            for held in self.reservations.held:
                due = min(due, now + (held.expiry - utc) * 1000)
        return max(0, due - now)

    # --- hardware events; each returns a few words on what came of it

    def plugged(self, now, evse_id, connector_id=1):
        """A cable connects a car to a connector."""
        evse = self._evse(evse_id)
        if evse.connector(connector_id) is None:
            raise ValueError("EVSE %d has no connector %d" % (evse_id, connector_id))
        if evse.plugged:
            raise ValueError("EVSE %d has a cable in already" % evse_id)
        evse.shut_in = evse.idle() and self.reservations.is_reserved(evse)  # G01.FR.09
        evse.plugged = connector_id
        transactions.follow(self, now, evse, "CablePluggedIn")
        self.settle(now)
        return "plugged in"

    def unplugged(self, now, evse_id):
        """The cable is gone, and with it the driver's authorization (E09.FR.01)."""
        evse = self._evse(evse_id)
        if not evse.plugged:
            raise ValueError("EVSE %d has no cable in" % evse_id)
        evse.plugged = None
        evse.shut_in = evse.suspended = False
        authorization.withdraw(self, now, evse, "EVCommunicationLost", "EVDisconnected")
        self.settle(now)
        return "unplugged"

    def presented(self, now, id_token, token_type="ISO14443", evse_id=None):
        """A token is presented, at an EVSE or at a reader that serves them all."""
        token = (id_token, token_type)
        evse = self.reservations.choose(token) if evse_id is None else self._evse(evse_id)
        words = authorization.present(self, now, evse, token) if evse else "refused: no EVSE for this token"
        self.settle(now)
        return words if evse is None else "EVSE %d: %s" % (evse.id, words)

    def fault(self, now, evse_id, code="OtherError"):
        """The EVSE is not sound any more. `code` is the driver's own; some are ReasonEnumType."""
        evse = self._evse(evse_id)
        evse.fault = code
        evse.authorization = None
        reason = code if code in "EmergencyStop GroundFault OvercurrentFault PowerQuality".split() else "Other"
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

    def resumed(self, now, evse_id):
        """The car wants energy again."""
        return self.suspended(now, evse_id, False)

    def suspended(self, now, evse_id, pause=True):
        """The car asks for a pause, or for its end."""
        evse = self._evse(evse_id)
        if not evse.plugged:
            raise ValueError("EVSE %d has no cable in" % evse_id)
        evse.suspended = pause
        if evse.transaction:
            transactions.follow(self, now, evse, "ChargingStateChanged")
        self.settle(now)
        return "suspended by the car" if pause else "resumed by the car"

    def _evse(self, evse_id):
        evse = self.site.evse(evse_id)
        if not evse:
            raise ValueError("no EVSE %s" % evse_id)
        return evse

    # --- service at the console

    def reserve(self, now, evse_id, id_token, token_type, minutes, reservation_id=None):
        """Reserve without the CSMS. ReserveNowStatusEnumType, and a reason code after a space where there is one."""
        if reservation_id is None:
            reservation_id = 1
            for known in self.reservations.held + self.reservations.ended:
                reservation_id = max(reservation_id, known.id + 1)
        expiry = (self.clock.utc(now) or 0) + minutes * 60
        answer = reservation.reserve(self, now, reservations.Reservation(
            reservation_id, evse_id, None, expiry, (id_token, token_type), None))
        self.settle(now)
        return answer

    def cancel(self, now, reservation_id):
        """Cancel without the CSMS, which is told. CancelReservationStatusEnumType, and perhaps a reason code."""
        answer = reservation.withdraw(self, now, reservation_id)
        self.settle(now)
        return answer

    def restart(self, now, reason="LocalReset"):
        """Restart as soon as the edge has sent what is still to be said."""
        provisioning.restart(self, now, reason)
        self.settle(now)

    def security_event(self, now, name, info):
        """Something happened that the CSMS has to hear of; `name` is one of OCPP's security events."""
        if name == "MemoryExhaustion" and now >= _SETTLED:
            self.reset_when_idle = True  # what has piled up over months goes with a restart
        security.happened(self, now, name, info)
        self.settle(now)

    def shift_clock(self, now, seconds):
        """Put the clock forward or back, for a simulation."""
        self.clock.shift(seconds)
        self.settle(now)

    def open_contactors(self):
        """Something unforeseen happened: no energy anywhere, until the next event finds that the facts allow it."""
        self.hardware.open()
        for evse in self.evses:
            evse.closed = False

    # --- what the blocks use

    def idle(self):
        """Nobody charges or may, and nothing is reserved."""
        for evse in self.evses:
            if evse.transaction or evse.authorization:
                return False
        return not self.reservations.held

    def status_of(self, evse, connector):
        """ConnectorStatusEnumType of a connector right now."""
        return self.site.status(evse, connector, self.reservations.is_reserved(evse))

    def set_clock(self, now, text):
        """The CSMS told the time, as RFC 3339. One that records have no room for becomes the nearest that they have."""
        utc = min(max(1, clock.parse(text)), 0xF0000000)  # 1970 to 2097
        if self.clock.is_set and abs(self.clock.utc(now) - utc) > 60:
            security.happened(self, now, "SettingSystemTime", "more than a minute off")
        self.clock.set(utc, now)
        self._last_sync = now

    def variable_changed(self, now, name, value):
        """A variable was written. Most take effect where they are read; this one is about what is stored already."""
        if name == "ReservationCtrlr.Enabled":
            reservation.switch(self, now, value == "true")
        elif name == "SecurityCtrlr.BasicAuthPassword":
            self.log("info", name + " was changed")  # A01.FR.11, and not to what: A01.FR.12
            security.happened(self, now, "ReconfigurationOfSecurityParameters", "BasicAuthPassword")
            self.reconnect = True

    def store(self, name, data):
        """Put a record on flash, or remove it if `data` is None. The reason code if flash refused, else None."""
        try:
            if data is None:
                self.records.remove(name)
            else:
                self.records.put(name, data)
        except OSError as error:
            self.log("error", "record %s could not be changed: %s" % (name, error))
            return "OutOfStorage" if error.args and error.args[0] == _NO_SPACE else "InternalError"
        if name in self._unremoved:
            self._unremoved.remove(name)
        return None

    def try_store(self, now, name, data):
        """Put a record on flash. False if flash refused, now or a moment ago; then it is to be tried again later."""
        if self._flash_retry > now:
            return False
        if self.store(name, data):
            self._flash_retry = now + _FLASH_RETRY
            return False
        return True

    def forget(self, name):
        """Remove a record; if flash refuses it is tried again some time later."""
        if self.store(name, None) and name not in self._unremoved:
            self._unremoved.append(name)

    # --- after every event

    def settle(self, now):
        """Draw the conclusions from what changed, once, and queue what is to be told."""
        self._command_contactors()
        if self._unremoved and self._flash_retry <= now:
            self._flash_retry = now + _FLASH_RETRY
            for name in self._unremoved[:]:
                self.forget(name)
        reservation.settle(self, now)
        availability.report(self, now)
        reservation.report_endings(self, now)
        security.report(self, now)
        if self.reset_when_idle and self.idle():
            self.reset_when_idle = False
            provisioning.restart(self, now, "ScheduledReset")  # B12.FR.03
        self._pump(now)

    def _command_contactors(self):
        """Energy only where a driver is authorized, a cable is in and nothing speaks against it. Safety first."""
        for evse in self.evses:
            in_service = self.site.in_service(evse)
            if not in_service and not evse.transaction:
                evse.authorization = None  # it was not used before the EVSE went out of service
            closed = evse.transaction is not None and charging_state(evse, in_service) == "Charging"
            if closed != evse.closed:
                evse.closed = closed
                self.hardware.contactor(evse.id, closed)

    # --- timers

    def _heartbeat_due(self):
        """After the interval without other traffic, and once a day in any case: it keeps the clock right (G02)."""
        interval = self.variables.integer("OCPPCommCtrlr.HeartbeatInterval") * 1000
        return min(self._last_call + interval, self._last_sync + _DAY)
