"""Names of hosts become addresses without stopping everything else, and the time comes from a time server.

MicroPython's getaddrinfo waits for the answer, on an ESP32 up to some ten seconds; in a thread it lets the others run.
An address that was found once serves again when the name server is away. micropython-lib's `ntptime` is not enough for
a station: it waits for both name and answer while everything stands still, and believes whatever comes.
"""

import asyncio

try:
    import socket
except ImportError:  # a MicroPython without a network, to measure on
    socket = None
try:
    import _thread
except ImportError:  # then it has to wait
    _thread = None

_EPOCH = 2_208_988_800  # s from 1900, where NTP begins, to 1970
_BUILT = 1_767_225_600  # 2026-01-01: no server that is right says less
_PATIENCE = 60  # looks for an answer of the time server, 50 ms each
_NAMES = 400  # for one of the name servers, longer than lwIP asks them all

_known = {}  # host -> its address when it was last found
_asked = {}  # host -> what its thread has brought so far: nothing, or one address or OSError


def is_address(host):
    """Is it an IPv4 address already?"""
    parts = host.split(".")
    return len(parts) == 4 and all([part.isdigit() for part in parts])


async def resolve(host):
    """The IPv4 address of a host, as text. Raises OSError."""
    if is_address(host):
        return host
    if host not in _asked:
        _asked[host] = found = []
        try:
            _thread.start_new_thread(_look_up, (host, found))
        except (AttributeError, OSError, RuntimeError, MemoryError):  # no threads here, or no room for its stack
            _look_up(host, found)
    found = _asked[host]
    for _ in range(_NAMES):
        if found:
            _asked.pop(host, None)
            if isinstance(found[0], str):
                _known[host] = found[0]
            break
        await asyncio.sleep_ms(50)
    # A thread that has brought nothing is left alone: whoever wants to know next waits for the same one.
    if host not in _known:
        raise OSError(str(found[0]) if found else 110, "no address for " + host)  # ETIMEDOUT
    return _known[host]


def _look_up(host, found):
    try:
        address = socket.getaddrinfo(host, 80, socket.AF_INET)[0][-1]
        # On a board a tuple, elsewhere the octets of a sockaddr_in.
        found.append(address[0] if isinstance(address, tuple) else "%d.%d.%d.%d" % tuple(address[4:8]))
    except (OSError, MemoryError) as error:  # whatever it is: who asks next would wait for this thread
        found.append(error)


async def ask_time(server, urandom):
    """UTC in seconds from a time server, "host" or "host:port". Raises OSError."""
    host, _, port = server.partition(":")
    address = socket.getaddrinfo(await resolve(host), int(port or 123))[0][-1]
    nonce = urandom(8)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        udp.setblocking(False)
        udp.connect(address)  # nobody else's answers
        udp.send(b"\x23" + bytes(39) + nonce)
        for _ in range(_PATIENCE):
            try:
                utc = told(udp.recv(64), nonce)
                if utc:
                    return utc
            except OSError as error:
                if error.errno != 11:  # EAGAIN
                    raise
            await asyncio.sleep_ms(50)
    finally:
        udp.close()
    raise OSError(110, "no answer from the time server " + server)  # ETIMEDOUT


def told(answer, nonce):
    """UTC in seconds that an SNTP answer tells, None for one that is not to be believed (RFC 4330, section 5)."""
    # An answer to this question, of a server that knows the time.
    if (len(answer) < 48 or answer[24:32] != nonce
            or answer[0] & 7 != 4 or answer[0] >> 6 == 3 or not 1 <= answer[1] <= 15):
        return None
    seconds = int.from_bytes(answer[40:44], "big")
    if seconds < 0x80000000:
        seconds += 1 << 32  # the era that begins in 2036 (section 3)
    return seconds - _EPOCH if seconds >= _EPOCH + _BUILT else None
