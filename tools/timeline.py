"""What goes over the wire, as lines that people read: `◀──` to the station, `──▶` from it, one line a message.

`describe` turns a frame into words, `Timeline` prints frames as they pass (give it to `Csms.watch`) and the story's
headings between them. With colours on a terminal, plain text elsewhere.
"""

import json
import time

from rich.console import Console
from rich.text import Text

STYLES = {"Accepted": "green", "Available": "green", "Reserved": "bold yellow", "Occupied": "cyan", "Rejected": "red",
          "Faulted": "bold red", "Unavailable": "magenta", "Expired": "yellow", "Removed": "yellow", "Invalid": "red"}


class Timeline:
    """Prints what passes. `clock` turns a monotonic time into the text of the first column, else it counts from now;
    `names` says which station it was; without `empty` the answers that say nothing are left out.
    """

    def __init__(self, console=None, clock=None, names=False, empty=True):
        self.console = console or Console(highlight=False)
        self.start = time.monotonic()
        self.clock = clock or (lambda at: "%7.3f s" % (at - self.start))
        self.names, self.empty = names, empty
        self._actions = {}          # (station id, direction, message id) -> action, to name what an answer belongs to

    def frame(self, at, station_id, direction, text):
        """A callback for `Csms.watch`."""
        line = Text.assemble(("  %s  " % self.clock(at), "dim"))
        if self.names:
            line.append(station_id + "  ", style="bold")
        if direction == "--":
            line.append("···  " + text, style="bold red" if text.startswith("VIOLATION") else "dim italic")
        else:
            line.append("──▶  " if direction == "<-" else "◀──  ", style="blue" if direction == "<-" else "magenta")
            title, details = describe(text, self._action_of(station_id, direction, text))
            if title.startswith("↳") and not details and not self.empty:
                return
            line.append(title.ljust(25) if details else title, style="bold" if not title.startswith("↳") else "")
            line.append(" " + details if details else "")
            for word, style in STYLES.items():
                line.highlight_regex(r"\b%s\b" % word, style)
        self.say(line)

    def say(self, line="", style=None):
        """Print one line."""
        self.console.print(line if isinstance(line, Text) else Text(line, style=style or ""), soft_wrap=True)

    def _action_of(self, station_id, direction, text):
        try:
            frame = json.loads(text)
            if frame[0] == 2:
                self._actions[station_id, direction, str(frame[1])] = frame[2]
                return frame[2]
            return self._actions.pop((station_id, "->" if direction == "<-" else "<-", str(frame[1])), None)
        except (ValueError, LookupError, TypeError):
            return None


def describe(text, action=None):
    """(title, details): ("StatusNotification", "EVSE 1 connector 2 Reserved"), ("↳ ReserveNow", "Accepted")."""
    try:
        frame = json.loads(text)
        kind = frame[0]
        if kind == 2:
            return frame[2], _call(frame[2], frame[3])
        if kind == 3:
            return "↳ " + (action or frame[1]), _result(frame[2])
        return "↳ " + (action or frame[1]), "CALLERROR %s %s %s" % (frame[2], frame[3], _compact(frame[4]))
    except (ValueError, LookupError, TypeError, AttributeError):
        return "?", _shorten(text if isinstance(text, str) else repr(text))


def _call(action, payload):
    words = []
    if action == "BootNotification":
        station = payload["chargingStation"]
        words = [payload["reason"], station["vendorName"] + " " + station["model"]]
    elif action == "StatusNotification":
        return "EVSE %s connector %s %s" % (payload["evseId"], payload["connectorId"], payload["connectorStatus"])
    elif action == "Authorize":
        words = [_token(payload["idToken"])]
    elif action == "TransactionEvent":
        info = payload["transactionInfo"]
        words = [payload["eventType"], payload["triggerReason"], _evse(payload.get("evse")), info.get("chargingState"),
                 _token(payload.get("idToken")), _number("reservationId", payload.get("reservationId")),
                 _number("stopped by", info.get("stoppedReason")), "offline" if payload.get("offline") else None,
                 "transaction %s… #%s" % (info["transactionId"][:8], payload["seqNo"])]
    elif action == "ReserveNow":
        words = ["id %s" % payload["id"], _number("EVSE", payload.get("evseId")), payload.get("connectorType"),
                 "for " + _token(payload["idToken"]), _number("group", _token(payload.get("groupIdToken"))),
                 "until " + payload["expiryDateTime"]]
    elif action == "CancelReservation":
        words = ["id %s" % payload["reservationId"]]
    elif action == "ReservationStatusUpdate":
        words = ["id %s" % payload["reservationId"], payload["reservationUpdateStatus"]]
    elif action == "SecurityEventNotification":
        words = [payload["type"], payload.get("techInfo")]
    elif action == "RequestStartTransaction":
        words = [_token(payload["idToken"]), _number("EVSE", payload.get("evseId"))]
    elif payload:
        words = [_compact(payload)]
    return ", ".join(word for word in words if word)


def _result(payload):
    status = payload.get("status")
    if isinstance(status, str):
        info = payload.get("statusInfo", {})
        words = [status, info.get("reasonCode"), info.get("additionalInfo"),
                 _number("interval", payload.get("interval"))]
        return ", ".join(word for word in words if word)
    if "idTokenInfo" in payload:
        return payload["idTokenInfo"]["status"]
    return _compact(payload) if payload else ""


def _token(id_token):
    return id_token and "%s (%s)" % (id_token["idToken"], id_token["type"])


def _evse(evse):
    return evse and "EVSE %s" % evse["id"] + (" connector %s" % evse["connectorId"] if "connectorId" in evse else "")


def _number(label, value):
    return None if value is None else "%s %s" % (label, value)


def _compact(value):
    return _shorten(json.dumps(value, separators=(",", ":"))) if value else ""


def _shorten(text, longest=160):
    return text if len(text) <= longest else text[:longest - 1] + "…"
