"""The device model: the variables this station has, what values they take, and which of them survive a reboot.

Values are strings, as on the wire. A row is (name, mutability, data type, default, limits): limits are lowest and
highest for an integer, shortest and longest for a string, the allowed words otherwise. Names are
"Component.Variable" or "Component.Variable[Instance]" and compare without regard to letter case.
"""

READ_ONLY, READ_WRITE, WRITE_ONLY = "RO", "RW", "WO"

# Only what has an effect is listed: a variable that could be written and did nothing would be a lie to the CSMS. One
# text and not a tuple of tuples, because on a board the text stays in flash and a tuple would not. "-" is no default.
_TABLE = """
AuthCtrlr.AuthorizeRemoteStart RW boolean true true false
ClockCtrlr.TimeSource RO SequenceList Heartbeat Heartbeat
DeviceDataCtrlr.BytesPerMessage[GetVariables] RO integer 8192 1024 65536
DeviceDataCtrlr.BytesPerMessage[SetVariables] RO integer 8192 1024 65536
DeviceDataCtrlr.ItemsPerMessage[GetVariables] RO integer 20 1 100
DeviceDataCtrlr.ItemsPerMessage[SetVariables] RO integer 20 1 100
OCPPCommCtrlr.HeartbeatInterval RW integer 300 1 2147483647
OCPPCommCtrlr.MessageAttemptInterval[TransactionEvent] RW integer 60 1 86400
OCPPCommCtrlr.MessageAttempts[TransactionEvent] RW integer 3 1 100
OCPPCommCtrlr.MessageTimeout[Default] RO integer 30 1 3600
OCPPCommCtrlr.OfflineThreshold RW integer 60 0 2147483647
OCPPCommCtrlr.RetryBackOffRandomRange RW integer 10 0 86400
OCPPCommCtrlr.RetryBackOffRepeatTimes RW integer 5 0 16
OCPPCommCtrlr.RetryBackOffWaitMinimum RW integer 10 1 86400
OCPPCommCtrlr.WebSocketPingInterval RW integer 60 0 86400
ReservationCtrlr.Available RO boolean true true false
ReservationCtrlr.Enabled RW boolean true true false
ReservationCtrlr.NonEvseSpecific RO boolean true true false
SecurityCtrlr.BasicAuthPassword WO string - 16 64
SecurityCtrlr.Identity RO string - 1 48
SecurityCtrlr.SecurityProfile RO integer 0 0 3
TxCtrlr.EVConnectionTimeOut RW integer 60 1 86400
TxCtrlr.StopTxOnEVSideDisconnect RO boolean true true
TxCtrlr.StopTxOnInvalidId RW boolean true true false
TxCtrlr.TxStartPoint RW MemberList PowerPathClosed EVConnected Authorized PowerPathClosed
TxCtrlr.TxStopPoint RW MemberList EVConnected,Authorized EVConnected Authorized PowerPathClosed
"""


def full_name(component, variable, instance=None):
    """The name under which a row is listed."""
    name = component + "." + variable
    return "%s[%s]" % (name, instance) if instance else name


def row(name):
    """The row of that name, or None."""
    return None if " " in name else _parsed(_line(name + " "))


def has_component(component):
    """Is there a row of that component?"""
    return "." not in component and _line(component + ".") is not None


def _line(beginning):
    """The first line of the table that begins so, letter case aside, or None."""
    beginning = beginning.lower()
    at = 0
    while at + 1 < len(_TABLE):
        end = _TABLE.find("\n", at + 1)
        line = _TABLE[at + 1:end]
        if line.lower().startswith(beginning):
            return line
        at = end
    return None


def _parsed(line):
    if line is None:
        return None
    name, mutability, data_type, default, limits = line.split(" ", 4)
    return name, mutability, data_type, "" if default == "-" else default, limits


def fault(entry, value):
    """Why this row cannot have that value, in a few words, or None (B05.FR.07)."""
    data_type, limits = entry[2], entry[4].split()
    if data_type == "integer":
        digits = value[1:] if value[:1] == "-" else value
        # Ten digits are more than 32 bits hold; isdigit() would take digits of other scripts.
        if not 0 < len(digits) <= 10 or digits.strip("0123456789"):
            return "must be an integer"
        if not int(limits[0]) <= int(value) <= int(limits[1]):
            return "must be from %s to %s" % tuple(limits)
    elif data_type == "string":
        if not int(limits[0]) <= len(value) <= int(limits[1]):
            return "must have %s to %s characters" % tuple(limits)
    else:
        members = [value] if data_type == "boolean" else value.split(",")
        for index, member in enumerate(members):
            if member not in limits or member in members[:index]:
                return "must be %s: %s" % ("one of" if data_type == "boolean" else "a list of", ", ".join(limits))
    return None


def check_initial(name, value):
    """Why the configuration cannot give that variable that value (factory settings may be read-only ones), or None."""
    entry = row(name)
    if entry is None:
        return "no such variable"
    if type(value) is not str:
        return "must be a string"
    return fault(entry, value)


class Variables:
    """The present values. `initial`: a dict name -> value from the configuration, already checked."""

    def __init__(self, initial):
        self.values = {}
        for name in initial:
            self.values[row(name)[0]] = initial[name]

    def value(self, entry):
        """The present value of a row."""
        return self.values.get(entry[0], entry[3])

    def put(self, entry, value):
        """Give a row a value that `fault` had nothing against."""
        self.values[entry[0]] = value

    def assume(self, name, value):
        """Give a row a value that nobody wrote, for this run: the CSMS named it in an answer."""
        entry = row(name)
        if fault(entry, value) is None:
            self.put(entry, value)

    def get(self, name):
        """The present value as a string. A look-up this frequent leaves no garbage: the default is looked up once."""
        if name not in self.values:
            self.values[name] = row(name)[3]
        return self.values[name]

    def integer(self, name):
        """The present value of an integer row."""
        return int(self.get(name))

    def true(self, name):
        """Is a boolean row true?"""
        return self.get(name) == "true"

    def names(self):
        """The names of all rows that anybody may read, in the order of the table."""
        lines = [line.split() for line in _TABLE.split("\n")]
        return [words[0] for words in lines if words and words[1] != WRITE_ONLY]
