"""Block B on the wire: BootNotification and registration, Reset. Variables have a file of their own, variables.py."""

from .. import __version__
from ..payload import date_time, integer
from . import availability, transactions

# How long to wait before the next BootNotification where the CSMS names no interval, or does not answer (B02.FR.08).
_OWN_INTERVAL = 30

RECORDS = "restart"  # holds the BootReasonEnumType of a restart that was asked for


def boot(station, now):
    """Send BootNotification (B01.FR.01); its answer decides what else this station may do."""
    station.next_boot = None
    station.send("BootNotification", now)


def _boot_notification(station, about, at):
    charging_station = {
        "model": station.config.model,
        "vendorName": station.config.vendor_name,
        "firmwareVersion": __version__,
    }
    if station.config.serial_number:
        charging_station["serialNumber"] = station.config.serial_number
    return {"chargingStation": charging_station, "reason": station.boot_reason}


def _registered(station, about, now, payload, error):
    if error == "offline":
        return  # the next link begins with a BootNotification
    interval = payload["interval"] if payload else 0
    status = station.registration = payload and payload["status"]
    station.log("info" if status == "Accepted" else "warning", "registration: %s" % (error or status))
    if status == "Accepted":
        station.set_clock(now, payload["currentTime"])  # B01.FR.06
        if interval > 0:
            station.variables.assume("OCPPCommCtrlr.HeartbeatInterval", str(interval))  # B01.FR.04
        availability.prepare_reports(station, True)  # B01.FR.05
    else:
        station.next_boot = now + (interval if interval > 0 else _OWN_INTERVAL) * 1000


def reset(station, now, request):
    """ResetRequest -> ResetResponse (B11, B12)."""
    if "evseId" in request:
        return "Rejected UnsupportedParam"  # B11.FR.09: only the whole station
    if request["type"] == "OnIdle" and not station.idle():
        station.reset_when_idle = True
        # A pending reservation is no idleness (B11 remark, errata 2025-09 §2.14).
        return "Scheduled"
    restart(station, now, "RemoteReset")
    return "Accepted"


def restart(station, now, reason):
    """End every transaction and ask the edge for a restart. `reason`: what BootNotification will say (B01.FR.03)."""
    for evse in station.evses:
        evse.authorization = None
        if evse.transaction:
            transactions.follow(station, now, evse, "ResetCommand", None, "ImmediateReset")  # B12.FR.04
    station.try_store(now, RECORDS, reason.encode())
    station.reboot_requested = reason


def load(station, now, name, data):
    """The record that the last run left: why this one began. Read once."""
    station.boot_reason = data.decode()
    station.forget(name)


REQUESTS = (
    ("Reset", ("type", "Immediate OnIdle", "evseId?", integer), reset),
)
CALLS = (
    ("BootNotification", "boot", _boot_notification, (
        "currentTime", date_time,
        "interval", integer,
        "status", "Accepted Pending Rejected",
        "statusInfo?", ("reasonCode", 20, "additionalInfo?", 512),
    ), _registered),
)
