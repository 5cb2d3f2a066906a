"""The WebSocket client over a real socket against the server of the PyPI package `websockets`."""

import base64
import contextlib
import os
import socket
import threading

import pytest
from holdfast import websocket
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import basic_auth, serve


@contextlib.contextmanager
def server(handler, **options):
    """Run `handler(connection)` for each client; yield the port. What the handler raises fails the test."""
    failures = []

    def guarded(connection):
        try:
            handler(connection)
        except Exception as failure:
            failures.append(failure)
            raise

    with serve(guarded, "127.0.0.1", 0, **{"subprotocols": ["ocpp2.0.1"], **options}) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield running.socket.getsockname()[1]
        finally:
            running.shutdown()
            thread.join()
    assert not failures, failures


class Driver:
    """A blocking socket around one client: all the I/O that the client itself does not do."""

    def __init__(self, port, authorization=None, limit=8192):
        self.ws = websocket.WebSocket(f"127.0.0.1:{port}", "/ocpp/CS-1", "ocpp2.0.1", authorization, limit, os.urandom,
                                      bytearray())
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def wait_for_the_end(self):
        while self.socket.recv(1000):
            pass

    def event(self):
        while (event := self.ws.next_event()) is None:
            self.socket.sendall(self.ws.take())
            data = self.socket.recv(1000)
            self.ws.feed(data) if data else self.ws.feed_eof()
        self.socket.sendall(self.ws.take())
        return event


def echo(connection):
    for message in connection:
        connection.send(message)


def test_messages_of_all_sizes_there_and_back():
    with server(echo) as port, Driver(port, limit=70000) as driver:
        assert driver.event() == ("open",)
        for text in ("", "5 kΩ ⚡", *("x" * size for size in (125, 126, 65535, 65536))):
            driver.ws.send_text(text)
            assert driver.event() == ("text", text)
        driver.ws.close("done")
        assert driver.event() == ("closed", 1000, "done")


def test_fragments_with_a_ping_between_and_a_close():
    ponged = []

    def talk(connection):
        connection.send(iter(["[3,", '"7",', "{}]"]))
        ponged.append(connection.ping(b"are you there").wait(10))
        assert connection.recv() == "[2]"
        connection.close(1012, "moving house")

    with server(talk) as port, Driver(port) as driver:
        assert driver.event() == ("open",)
        assert driver.event() == ("text", '[3,"7",{}]')
        driver.ws.send(9, b"and you")
        assert driver.event() == ("pong", b"and you")
        driver.ws.send_text("[2]")
        assert driver.event() == ("closed", 1012, "moving house")
    assert ponged == [True]


def test_oversize_message_does_not_end_the_connection():
    def talk(connection):
        connection.send("a" * 1_000_000)
        connection.send("b")

    with server(talk) as port, Driver(port) as driver:
        assert driver.event() == ("open",)
        assert driver.event() == ("oversize", b"a" * 512, 1_000_000)
        assert driver.event() == ("text", "b")


def test_server_that_does_not_speak_the_subprotocol_is_told_so():
    told = []

    def listen(connection):
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv()
        told.append((closed.value.rcvd.code, closed.value.rcvd.reason))

    why = "subprotocol ocpp2.0.1 not agreed, got ''"
    with server(listen, subprotocols=None) as port:
        with Driver(port) as driver:
            assert driver.event() == ("refused", 101, why)
            driver.wait_for_the_end()
    assert told == [(1002, why)]


@pytest.mark.parametrize("password, outcome", [("right", ("open",)), ("wrong", ("refused", 401, "401 Unauthorized"))])
def test_basic_authentication(password, outcome):
    authorization = "Basic " + base64.b64encode(f"CS-1:{password}".encode()).decode()
    with server(echo, process_request=basic_auth(credentials=("CS-1", "right"))) as port:
        with Driver(port, authorization=authorization) as driver:
            assert driver.event() == outcome
            driver.ws.close("")
            if outcome == ("open",):
                assert driver.event() == ("closed", 1000, "")
