"""TLS for wss://, by MicroPython's own Mbed TLS: who may be trusted, and in plain words why somebody was not.

Imported with the first wss:// connection. The CSMS is only believed with a certificate that the CA in the
configuration signed, for the host in its URL, valid today, and with a wildcard only where AllowCSMSTLSWildcards says so
(security profiles 2 and 3, A00). TLS is 1.2: MicroPython has no other. The handshake runs inside the first reads and
writes of the stream, in steps that do not wait for the network; the longest, one operation with a key, stops everything
else for some tenths of a second on an ESP32, or one second where RSA is used.
"""

import asyncio
import gc
import io
import time
from binascii import a2b_base64

import tls

from .board import blob, heaps, machine
from .clock import rfc3339
from .config import split_url
from .link import open_stream

# Forward secrecy first, and both suites of the pairs that OCPP names (A00.FR.318). All are AEAD: no CBC.
_CIPHERS = ["TLS-%s-WITH-AES-%s" % (keys, suite) for keys in ("ECDHE-ECDSA", "ECDHE-RSA", "RSA")
            for suite in ("128-GCM-SHA256", "256-GCM-SHA384")]
_COMMON_NAME = b"\x06\x03\x75\x04\x03"  # 2.5.4.3 in DER, in lower case; a string follows: type, length, characters
_FATAL = -0x3000  # Mbed TLS: X509_FATAL_ERROR
_ALERT = -0x7780  # Mbed TLS: SSL_FATAL_ALERT_MESSAGE
_HUNG_UP = (-0x7280, 32, 104)  # SSL_CONN_EOF, EPIPE, ECONNRESET
_PATIENCE = 5  # s for a second look
_EPOCH = 0 if time.gmtime(0)[0] == 1970 else 946684800  # an ESP32 counts from 2000

# What Mbed TLS says of a certificate, and what that means.
_REFUSALS = (
    ("Common Name", "is for another host"),
    ("expired", "has expired"),
    ("future", "is not yet valid"),
    ("unacceptable", "has a key or a signature that is too weak"),
    ("BAD_CERT", "is not one for a server"),
    ("", "is not signed by the CA in ca_certificate"),
)


_OLD = ("the CSMS does not speak TLS 1.2", "InvalidTLSVersion")


class _Ear(io.IOBase):
    """A socket that nobody is at the other end of: it keeps what is `said`."""

    said = b""

    def write(self, data):
        self.said += bytes(data)
        return len(data)

    def readinto(self, buffer):
        return None  # nothing yet

    def ioctl(self, request, argument):
        return 0


class Handshake:
    """One attempt to connect. `context` is for open_connection."""

    def __init__(self, config, utc, certain, wildcards=False):
        """`utc`: what the time is, or was at least if it is not `certain`; None: nobody knows. `wildcards`: are they
        good enough in a certificate? Raises OSError."""
        self._config = config
        self._host = split_url(config.csms_url)[1]
        self._wildcards = wildcards
        self._certificates = 0  # of the chain, that were looked at
        self._complaint = None
        set_clock(utc, certain)
        gc.collect()
        self._heap = [_heap()]
        self.context = context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        context.verify_mode = tls.CERT_REQUIRED  # said on purpose: MicroPython's `ssl` would not ask
        context.verify_callback = self._look
        context.set_ciphers(_CIPHERS)
        field = "ca_certificate"
        try:
            for certificate in _read(config.ca_certificate, b"CERTIFICATE"):
                context.load_verify_locations(certificate)
            if config.security_profile == 3:
                field = "client_certificate or client_key"
                key = _read(config.client_key, b"KEY")[0]
                # Each call adds one certificate to the chain that is sent, the station's own first, and takes the key
                # anew (extmod/modtls_mbedtls.c): so do those between it and the root get there.
                for certificate in _read(config.client_certificate, b"CERTIFICATE"):
                    context.load_cert_chain(certificate, key)
        except (OSError, ValueError) as error:
            raise OSError("%s cannot be used: %s" % (field, error))

    def _look(self, der, depth):
        # Called by Mbed TLS for each certificate of the chain, from the root down; 0: nothing against it.
        self._certificates += 1
        self._heap.append(_heap())
        if depth == 0:
            der = bytes(der).lower()
            host = self._host.lower().encode()
            # A chain of one that nobody in ca_certificate began: same common names of issuer and subject?
            names = der.split(_COMMON_NAME)
            if self._certificates == 1 and len(names) > 2 and names[1][:names[1][1] + 2] == names[2][:names[1][1] + 2]:
                self._complaint = "is self-signed"
            # The name itself has to be there, as a string with its length before it.
            if not self._wildcards and b"*" + host[host.find(b"."):] in der and bytes([len(host)]) + host not in der:
                self._complaint = "has a wildcard"
                return _FATAL
        return 0

    def connected(self):
        """The handshake is over, as data came. Returns bytes used before, at most at the moments looked at, after."""
        gc.collect()
        return self._heap[0], max(self._heap), _heap()

    async def explain(self, error):
        """(words, security event or None) for the exception that ended the attempt. May dial once more to find out."""
        words = str(error)
        number = error.args and error.args[0]
        # Who did not do the step that failed is not told why, only X509_CERT_VERIFY_FAILED.
        if type(error) is ValueError or number in (-0x2700, _FATAL, -0x7A00):
            complaint = self._complaint or [meaning for part, meaning in _REFUSALS if part in words][0]
            today = rfc3339(int(time.time()) + _EPOCH)
            return "the CSMS's certificate %s; by this clock it is %s" % (complaint, today), "InvalidCsmsCertificate"
        if number in (-0x6E80, -0x7200, -0x7300):  # BAD_PROTOCOL_VERSION, INVALID_RECORD, DECODE_ERROR
            return _OLD
        # ENOMEM; Mbed TLS's MPI_ALLOC_FAILED, which comes as an errno; the others, and MicroPython's own, by name.
        if number in (12, 16) or "alloc" in words.lower():
            return "not enough memory for TLS", "MemoryExhaustion"
        if self._certificates and (number == _ALERT or number in _HUNG_UP):
            # Its certificate was good; what comes then is that it judges ours.
            words = "does not take this client certificate" if self._config.client_key else "wants a client certificate"
            return "the CSMS " + words, "FailedToAuthenticateAtCsms"
        if number == _ALERT:
            return await self._alert()
        return "the CSMS hung up during the handshake" if number in _HUNG_UP else words, None

    async def _alert(self):
        # Mbed TLS keeps to itself what an alert says. So what it says first is said again, and the answer heard.
        ear = _Ear()
        answer = b""
        try:
            wrapped = self.context.wrap_socket(ear, server_hostname=self._host, do_handshake_on_connect=False)
            wrapped.write(b"\0")  # after the handshake only, which never comes
            wrapped.close()
            answer = await asyncio.wait_for(self._hear(ear.said), _PATIENCE)
        except (OSError, EOFError, asyncio.TimeoutError):
            pass  # then it stays unknown
        if answer[:1] != b"\x15":
            return "the CSMS broke the handshake off", None
        # RFC 5246, 6.2.1 and 7.2: type, version, length; level, description. A server that is older than TLS 1.2 finds
        # no cipher suite in common, but the version of its alert tells it.
        if answer[2] < 3 or answer[6] == 70:
            return _OLD
        if answer[6] in (40, 71):
            return "no cipher suite in common with the CSMS", "InvalidTLSCipherSuite"
        return "the CSMS broke the handshake off, alert %d of TLS" % answer[6], None

    async def _hear(self, hello):
        stream = await open_stream(self._config.csms_url)
        try:
            stream.write(hello)
            await stream.drain()
            return await stream.readexactly(7)
        finally:
            await stream.wait_closed()


def set_clock(utc, certain):
    """Put the clock that Mbed TLS judges certificates by right. It begins in the year 2000 whenever power comes."""
    late = 0 if utc is None else utc - _EPOCH - time.time()
    if machine and (late > 1 or certain and late < -1):
        moment = time.gmtime(utc - _EPOCH)
        machine.RTC().datetime(moment[:3] + (moment[6],) + moment[3:6] + (0,))


def _heap():
    # Mbed TLS takes its memory from ESP-IDF, elsewhere from where nobody can see it. Garbage counts as used.
    return gc.mem_alloc() + sum([heap[0] - heap[1] for heap in heaps()])


def _read(path, kind):
    # The certificates or keys of a file, each as DER. Not every MicroPython reads PEM.
    if path.startswith("nvs:"):
        return [blob(path[4:], None, 4000)]
    with open(path, "rb") as file:
        content = file.read()
    if b"-----BEGIN" not in content:
        return [content]
    found = [part.split(b"-----") for part in content.split(b"-----BEGIN ")[1:]]
    found = [a2b_base64(part[1]) for part in found if part[0].endswith(kind)]
    if not found:
        raise ValueError("none in it")
    return found
