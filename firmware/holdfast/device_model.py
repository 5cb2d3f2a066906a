"""The device model: the variables this station has, what values they take, and which of them survive a reboot.

Values are strings, as on the wire. A row is (name, mutability, data type, default, limits): limits are (lowest,
highest) for an integer, (shortest, longest) for a string, the allowed words for a list. Names are
"Component.Variable" or "Component.Variable[Instance]" and compare without regard to letter case.
"""

from holdfast.transactions import POINTS

READ_ONLY, READ_WRITE, WRITE_ONLY = "ReadOnly", "ReadWrite", "WriteOnly"

_BIG = 0x7FFFFFFF

# Only what has an effect is listed: a variable that could be written and did nothing would be a lie to the CSMS.
VARIABLES = (
    ("AuthCtrlr.AuthorizeRemoteStart", READ_WRITE, "boolean", "true", None),
    ("ClockCtrlr.TimeSource", READ_ONLY, "SequenceList", "Heartbeat", "Heartbeat"),
    ("DeviceDataCtrlr.BytesPerMessage[GetVariables]", READ_ONLY, "integer", "8192", (1024, 65536)),
    ("DeviceDataCtrlr.BytesPerMessage[SetVariables]", READ_ONLY, "integer", "8192", (1024, 65536)),
    ("DeviceDataCtrlr.ItemsPerMessage[GetVariables]", READ_ONLY, "integer", "20", (1, 100)),
    ("DeviceDataCtrlr.ItemsPerMessage[SetVariables]", READ_ONLY, "integer", "20", (1, 100)),
    ("OCPPCommCtrlr.HeartbeatInterval", READ_WRITE, "integer", "300", (1, _BIG)),
    ("OCPPCommCtrlr.MessageAttemptInterval[TransactionEvent]", READ_WRITE, "integer", "60", (1, 86400)),
    ("OCPPCommCtrlr.MessageAttempts[TransactionEvent]", READ_WRITE, "integer", "3", (1, 100)),
    ("OCPPCommCtrlr.MessageTimeout[Default]", READ_ONLY, "integer", "30", (1, 3600)),
    ("OCPPCommCtrlr.OfflineThreshold", READ_WRITE, "integer", "60", (0, _BIG)),
    ("OCPPCommCtrlr.RetryBackOffRandomRange", READ_WRITE, "integer", "10", (0, 86400)),
    ("OCPPCommCtrlr.RetryBackOffRepeatTimes", READ_WRITE, "integer", "5", (0, 16)),
    ("OCPPCommCtrlr.RetryBackOffWaitMinimum", READ_WRITE, "integer", "10", (1, 86400)),
    ("OCPPCommCtrlr.WebSocketPingInterval", READ_WRITE, "integer", "60", (0, 86400)),
    ("ReservationCtrlr.Available", READ_ONLY, "boolean", "true", None),
    ("ReservationCtrlr.Enabled", READ_WRITE, "boolean", "true", None),
    ("ReservationCtrlr.NonEvseSpecific", READ_ONLY, "boolean", "true", None),
    ("SecurityCtrlr.BasicAuthPassword", WRITE_ONLY, "string", "", (16, 64)),
    ("SecurityCtrlr.Identity", READ_ONLY, "string", "", (1, 48)),
    ("SecurityCtrlr.SecurityProfile", READ_ONLY, "integer", "0", (0, 3)),
    ("TxCtrlr.EVConnectionTimeOut", READ_WRITE, "integer", "60", (1, 86400)),
    ("TxCtrlr.StopTxOnEVSideDisconnect", READ_ONLY, "boolean", "true", "true"),
    ("TxCtrlr.StopTxOnInvalidId", READ_WRITE, "boolean", "true", None),
    ("TxCtrlr.TxStartPoint", READ_WRITE, "MemberList", "PowerPathClosed", POINTS),
    ("TxCtrlr.TxStopPoint", READ_WRITE, "MemberList", "EVConnected,Authorized", POINTS),
)


def full_name(component, variable, instance=None):
    """The name under which a row is listed."""
    name = component + "." + variable
    return "%s[%s]" % (name, instance) if instance else name


def row(name):
    """The row of that name, or None."""
    name = name.lower()
    for entry in VARIABLES:
        if entry[0].lower() == name:
            return entry
    return None


def has_component(component):
    """Is there a row of that component?"""
    prefix = component.lower() + "."
    return any([entry[0].lower().startswith(prefix) for entry in VARIABLES])


def fault(entry, value):
    """Why this row cannot have that value, in a few words, or None (B05.FR.07)."""
    data_type, limits = entry[2], entry[4]
    if data_type == "boolean":
        if value not in ("true", "false") or (limits and value != limits):
            return "must be " + (limits or "true or false")
    elif data_type == "integer":
        digits = value[1:] if value[:1] == "-" else value
        # Ten digits are more than 32 bits hold; isdigit() would take digits of other scripts.
        if not 0 < len(digits) <= 10 or digits.strip("0123456789"):
            return "must be an integer"
        if not limits[0] <= int(value) <= limits[1]:
            return "must be from %d to %d" % limits
    elif data_type == "string":
        if not limits[0] <= len(value) <= limits[1]:
            return "must have %d to %d characters" % limits
    else:
        members = value.split(",")
        for index, member in enumerate(members):
            if member not in limits.split() or member in members[:index]:
                return "must be a list of: " + limits.replace(" ", ", ")
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
        """The present value as a string. Spelled as in the table: a look-up this frequent must leave no garbage."""
        for entry in VARIABLES:
            if entry[0] == name:
                return self.value(entry)
        raise KeyError(name)

    def integer(self, name):
        """The present value of an integer row."""
        return int(self.get(name))

    def true(self, name):
        """Is a boolean row true?"""
        return self.get(name) == "true"

    def names(self):
        """The names of all rows that anybody may read, in the order of the table."""
        return [entry[0] for entry in VARIABLES if entry[1] != WRITE_ONLY]
