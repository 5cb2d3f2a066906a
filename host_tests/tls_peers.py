"""Servers that speak TLS as they should not, certificates that are wrong in one way each, and boards that meet them."""

import contextlib
import functools
import socket
import ssl
import sys
import threading

from link_peers import HERE

from tools.pki import EXPIRED, NOT_YET_VALID, Pki, self_signed, server_context

HOST = "127.0.0.1"


@functools.cache
def pki():
    """The CA that the stations of these tests trust."""
    return Pki()


@functools.cache
def stranger():
    """A CA that nobody trusts."""
    return Pki("Somebody else's root")


def right(**options):
    """A server as it should be; `options` of server_context."""
    return server_context(pki().server(HOST, "localhost"), **options)


# What is wrong -> (context, what the station says about it, the security event that it makes of it).
INVALID = "InvalidCsmsCertificate"
WRONG = {
    "host": (lambda: server_context(pki().server("csms.example")), "is for another host", INVALID),
    "ca": (lambda: server_context(stranger().server(HOST)), "is not signed by the CA in ca_certificate", INVALID),
    "self-signed": (lambda: server_context(self_signed(HOST)), "is self-signed", INVALID),
    "expired": (lambda: server_context(pki().server(HOST, days=EXPIRED)), "has expired", INVALID),
    "not yet valid": (lambda: server_context(pki().server(HOST, days=NOT_YET_VALID)), "is not yet valid", INVALID),
    "short key": (lambda: server_context(pki().server(HOST, use_rsa=1024), ciphers="ECDHE-RSA-AES128-GCM-SHA256:"
                                         "@SECLEVEL=0"), "has a key or a signature that is too weak", INVALID),
    "a client's": (lambda: server_context(pki().client(HOST)), "is not one for a server", INVALID),
    "TLS 1.1": (lambda: right(version=ssl.TLSVersion.TLSv1_1), "does not speak TLS 1.2", "InvalidTLSVersion"),
    "TLS 1.3 only": (lambda: right(version=ssl.TLSVersion.TLSv1_3), "does not speak TLS 1.2", "InvalidTLSVersion"),
    "ciphers": (lambda: right(version=ssl.TLSVersion.TLSv1_2, ciphers="ECDHE-ECDSA-CHACHA20-POLY1305"),
                "no cipher suite in common", "InvalidTLSCipherSuite"),
    "CBC only": (lambda: right(version=ssl.TLSVersion.TLSv1_2, ciphers="ECDHE-ECDSA-AES128-SHA256"),
                 "no cipher suite in common", "InvalidTLSCipherSuite"),
    "client certificate": (lambda: right(client_root=pki().root, version=ssl.TLSVersion.TLSv1_2),
                           "wants a client certificate", "FailedToAuthenticateAtCsms"),
    "plain TCP": (lambda: None, "does not speak TLS 1.2", "InvalidTLSVersion"),
}


@contextlib.contextmanager
def tls_server(context):
    """A server that tells a failed handshake as OpenSSL does, and says nothing else; asyncio's would hang up without
    the alert. Yields its port. `context` None: it answers everything with an HTTP error, and no TLS."""
    listening = socket.create_server((HOST, 0))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection = listening.accept()[0]
                with contextlib.suppress(OSError), connection:
                    connection.settimeout(5)
                    if context:
                        connection = context.wrap_socket(connection, server_side=True)
                        connection.recv(4096)
                    else:
                        connection.recv(4096)
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


@contextlib.contextmanager
def answering(*answers):
    """A server that hears one thing, answers with so many bytes and hangs up; the last answer serves for the rest.
    Yields its port and what it hears."""
    listening = socket.create_server((HOST, 0))
    heard = []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection = listening.accept()[0]
                with connection, contextlib.suppress(OSError):
                    heard.append(connection.recv(4096))
                    connection.sendall(answers[min(len(heard), len(answers)) - 1])

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listening.getsockname()[1], heard
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def client_hello(record):
    """What a ClientHello of TLS 1.2 offers (RFC 5246, 7.4.1.2): "version", "suites", "compressions", and "host", the
    name of the server (RFC 6066, 3)."""
    assert record[0] == 22 and record[5] == 1
    body = record[9:]

    def vector(at, size):
        length = int.from_bytes(body[at:at + size], "big")
        return body[at + size:at + size + length], at + size + length

    _, at = vector(34, 1)  # the session
    suites, at = vector(at, 2)
    compressions, at = vector(at, 1)
    extensions, _ = vector(at, 2)
    found = {"version": int.from_bytes(body[:2], "big"), "compressions": list(compressions), "host": None,
             "suites": [int.from_bytes(suites[i:i + 2], "big") for i in range(0, len(suites), 2)]}
    while extensions:
        kind, size = int.from_bytes(extensions[:2], "big"), int.from_bytes(extensions[2:4], "big")
        if kind == 0:
            found["host"] = extensions[9:4 + size]
        extensions = extensions[4 + size:]
    return found


def clocked_micropython(directory):
    """A MicroPython for a virtual board, whose TLS goes by the clock of the board."""
    path = directory / "micropython"
    path.write_text("#!%s\nimport runpy\nrunpy.run_path(%r, run_name='__main__')\n" % (
        sys.executable, str(HERE / "micropython" / "board_clock.py")))
    path.chmod(0o755)
    return str(path)
