"""The virtual board's `socket`: the host's, but the well-known ports that the board serves lie elsewhere on the host.

The board's own address is 127.0.0.1, so its ports 53 and 80 would be the host's, which may be taken, and belong to
root. The file "ports" in the supervisor's directory says where they are: VirtualBoard.ports tells it to
the tests.
"""

import json
import socket as host
from socket import *  # noqa: F403 (all of it but one function)

_ports = {}


def power_up(directory):
    with open(directory + "/ports") as file:
        _ports.update(json.load(file))


def getaddrinfo(name, port, *rest):
    if name == "127.0.0.1":
        port = _ports.get(str(port), port)
    return host.getaddrinfo(name, port, *rest)
