"""The device model: the variables this station has, what values they take, and which of them survive a reboot.

Values are strings, as on the wire. A row is [name, mutability, default, limits]. Mutability is RO, RW or WO, for
ReadOnly, ReadWrite and WriteOnly. Limits are 1..60 for an integer, "length 1..60" for a string, one|two for one of
these words, one,two for a list of them. Names are "Component.Variable" or "Component.Variable[Instance]" and compare
without regard to letter case.
"""

# Only what has an effect is listed: a variable that could be written and did nothing would be a lie to the CSMS. One
# text and not a tuple of tuples, because on a board the text stays in flash and a tuple would not. A line that ends in
# "." begins a component; two spaces are around a default that there is not.
_TABLE = """\
AuthCtrlr.
AuthorizeRemoteStart RW true true|false
ClockCtrlr.
TimeSource RO Heartbeat Heartbeat
DeviceDataCtrlr.
BytesPerMessage[GetVariables] RO 8192 1024..65536
BytesPerMessage[SetVariables] RO 8192 1024..65536
ItemsPerMessage[GetVariables] RO 20 1..100
ItemsPerMessage[SetVariables] RO 20 1..100
OCPPCommCtrlr.
HeartbeatInterval RW 300 1..2147483647
MessageAttemptInterval[TransactionEvent] RW 60 1..86400
MessageAttempts[TransactionEvent] RW 3 1..100
MessageTimeout[Default] RO 30 1..3600
OfflineThreshold RW 60 0..2147483647
RetryBackOffRandomRange RW 10 0..86400
RetryBackOffRepeatTimes RW 5 0..16
RetryBackOffWaitMinimum RW 10 1..86400
WebSocketPingInterval RW 60 0..86400
ReservationCtrlr.
Available RO true true|false
Enabled RW true true|false
NonEvseSpecific RO true true|false
SecurityCtrlr.
AllowCSMSTLSWildcards RW false true|false
BasicAuthPassword WO  length 16..64
Identity RO  length 1..48
SecurityProfile RO 0 0..3
TxCtrlr.
EVConnectionTimeOut RW 60 1..86400
StopTxOnEVSideDisconnect RO true true
StopTxOnInvalidId RW true true|false
TxStartPoint RW PowerPathClosed EVConnected,Authorized,PowerPathClosed
TxStopPoint RW EVConnected,Authorized EVConnected,Authorized,PowerPathClosed
"""


def _rows():
    """(name, rest of the line) of every row. In small steps: a tight heap has no hole for the whole table."""
    at = 0
    while at < len(_TABLE):
        end = _TABLE.find("\n", at)
        gap = _TABLE.find(" ", at, end)
        if gap < 0:
            component = _TABLE[at:end]
        else:
            yield component + _TABLE[at:gap], _TABLE[gap + 1:end]
        at = end + 1


def row(name):
    """The row of that name, or None."""
    name = name.lower()
    for found, rest in _rows():
        if found.lower() == name:
            return [found] + rest.split(" ", 2)
    return None


def has_component(component):
    """Is there a row of that component?"""
    component = component.lower()
    for found, _ in _rows():
        if found.lower().split(".")[0] == component:
            return True
    return False


def fault(entry, value):
    """Why this row cannot have that value, in a few words, or None (B05.FR.07)."""
    length, _, limits = entry[3].rpartition(" ")
    lowest, _, highest = limits.partition("..")
    if highest:
        if length:
            value = str(len(value))
        # Ten digits are more than 32 bits hold; isdigit() would take digits of other scripts.
        good = (0 < len(value) <= 10 and not value.strip("0123456789")
                and int(lowest) <= int(value) <= int(highest))
    else:
        words = limits.replace("|", ",").split(",")
        members = value.split(",") if "," in limits else [value]
        good = set(members) <= set(words) and len(set(members)) == len(members)
    return None if good else "allowed: " + entry[3]


def check_initial(name, value):
    """Why the configuration cannot give that variable that value (factory settings may be read-only ones), or None."""
    entry = row(name)
    return fault(entry, value) if entry else "no such variable"


class Variables:
    """The present values. `initial`: a dict name -> value from the configuration, already checked."""

    def __init__(self, initial):
        self.values = {}
        for name in initial:
            self.put(row(name)[0], initial[name])

    def value(self, entry):
        """The present value of a row."""
        return self.values.get(entry[0], entry[2])

    def put(self, name, value):
        """Give a row, by its name as it is listed, a value that `fault` had nothing against."""
        self.values[name] = value

    def assume(self, name, value):
        """Give a row a value that nobody wrote, for this run: the CSMS named it in an answer."""
        if not check_initial(name, value):
            self.put(name, value)

    def get(self, name):
        """The present value as a string. A look-up this frequent leaves no garbage: the default is looked up once."""
        if name not in self.values:
            self.put(name, row(name)[2])
        return self.values[name]

    def integer(self, name):
        """The present value of an integer row."""
        return int(self.get(name))

    def true(self, name):
        """Is a boolean row true?"""
        return self.get(name) == "true"

    def names(self):
        """The names of all rows that anybody may read, one after the other, in the order of the table."""
        for name, rest in _rows():
            if not rest.startswith("WO"):
                yield name
