"""The link on real MicroPython against real servers, friendly and hostile ones."""

import asyncio
import base64
import contextlib
import http

import pytest
import websockets.asyncio.server
from link_peers import PASSWORD, Server, handshake_then, in_loop, running, tcp_server


@in_loop
async def test_messages_travel_both_ways():
    async with Server() as server, running(server.port) as harness:
        connection = await server.connection()
        await harness.see("^up")
        await connection.send("echo hällo")
        assert await connection.recv() == "echo hällo"
        await harness.tell("send [2]")
        assert await connection.recv() == "[2]"


@in_loop
async def test_the_request_names_the_station_its_password_and_the_subprotocol():
    async with Server() as server, running(server.port) as harness:
        await harness.see("^up")
        request = server.requests[0]
        assert request.path == "/ocpp/A%2B1"
        assert request.headers["Authorization"] == "Basic " + base64.b64encode(f"A+1:{PASSWORD}".encode()).decode()
        assert request.headers["Sec-WebSocket-Protocol"] == "ocpp2.0.1"
        assert request.headers["Host"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize("status", [401, 404, 503])
def test_an_http_refusal_is_logged_with_status_and_url_and_without_the_password(status):
    async def situation():
        async with Server() as server:
            server.answer = lambda connection, request: connection.respond(http.HTTPStatus(status), "no\n")
            async with running(server.port) as harness:
                line = await harness.see("log error")
                assert f"HTTP {status} " in line
                assert f"ws://127.0.0.1:{server.port}/ocpp/A%2B1" in line
                await harness.see("next attempt")
                assert not [line for line in harness.lines if PASSWORD in line or "Basic" in line]
                assert "up" not in harness.lines

    asyncio.run(situation())


@in_loop
async def test_a_redirect_is_not_followed_but_logged_with_where_it_points():
    def redirect(connection, request):
        response = connection.respond(http.HTTPStatus.FOUND, "")
        response.headers["Location"] = "ws://elsewhere.example/ocpp"
        return response

    async with Server() as server:
        server.answer = redirect
        async with running(server.port) as harness:
            line = await harness.see("log error")
            assert "HTTP 302" in line
            assert "ws://elsewhere.example/ocpp" in line


@in_loop
async def test_garbage_instead_of_http_is_logged_and_tried_again():
    async def garbage(reader, writer):
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\x00\xff\r\n")
        await asyncio.sleep(1)
        writer.close()

    async with tcp_server(garbage) as port, running(port) as harness:
        assert "not HTTP" in await harness.see("log error")
        await harness.see("next attempt")
        await harness.see("log error")


@in_loop
async def test_a_server_that_does_not_agree_on_the_subprotocol_is_left():
    async with websockets.asyncio.server.serve(lambda connection: connection.wait_closed(), "127.0.0.1", 0) as server:
        async with running(server.sockets[0].getsockname()[1]) as harness:
            assert "subprotocol" in await harness.see("log error")
            await harness.see("next attempt")
            assert "up" not in harness.lines


@in_loop
async def test_a_closed_port_is_a_failed_attempt():
    async with tcp_server(lambda reader, writer: writer.close()) as port:
        pass
    async with running(port) as harness:
        assert "ECONNREFUSED" in await harness.see("log warning cannot connect")
        await harness.see("next attempt to connect in 1 s")


@in_loop
async def test_an_unknown_host_name_is_a_failed_attempt():
    async with running(0, csms_url="ws://no-such-host.invalid/") as harness:
        await harness.see("log warning cannot connect", 60)
        await harness.see("next attempt")


@in_loop
async def test_a_server_that_accepts_and_says_nothing_is_given_up():
    async def silence(reader, writer):
        await asyncio.sleep(30)

    async with tcp_server(silence) as port, running(port, speed=60) as harness:
        assert "no answer to the handshake" in await harness.see("log warning cannot connect")


@in_loop
async def test_a_server_that_hangs_up_during_the_handshake_is_a_failed_attempt():
    async def hang_up(reader, writer):
        await reader.read(100)
        writer.close()

    async with tcp_server(hang_up) as port, running(port) as harness:
        await harness.see("log (error|warning)")
        await harness.see("next attempt")


@in_loop
async def test_back_off_doubles_until_repeat_times_is_reached():
    async with tcp_server(lambda reader, writer: writer.close()) as port:
        pass
    async with running(port, speed=50) as harness:
        waits = [(await harness.see("next attempt")).split()[-2] for _ in range(6)]
    assert waits == ["1", "2", "4", "8", "8", "8"]


@in_loop
async def test_back_off_really_waits_as_long_as_it_says():
    loop = asyncio.get_running_loop()
    dialled = []

    async def refuse(reader, writer):
        dialled.append(loop.time())
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
        writer.close()

    async with tcp_server(refuse) as port, running(port, speed=5) as harness:
        for _ in range(4):
            await harness.see("next attempt")
    pauses = [later - earlier for earlier, later in zip(dialled, dialled[1:])]
    for pause, wanted in zip(pauses, (0.2, 0.4, 0.8)):
        assert wanted <= pause < wanted + 0.3


@in_loop
async def test_back_off_starts_again_only_after_a_successful_handshake():
    async with Server() as server:
        refuse = lambda connection, request: connection.respond(http.HTTPStatus.NOT_FOUND, "")  # noqa: E731
        server.answer = refuse
        async with running(server.port, speed=20) as harness:
            for wait in (1, 2, 4):
                await harness.see(f"next attempt to connect in {wait} s")
            server.answer = None
            connection = await server.connection()
            await harness.see("^up")
            server.answer = refuse
            await connection.close()
            await harness.see("^down")
            for wait in (1, 2):
                await harness.see(f"next attempt to connect in {wait} s")


@in_loop
async def test_a_close_by_the_server_is_answered_reported_and_followed_by_a_new_attempt():
    async with Server() as server, running(server.port) as harness:
        connection = await server.connection()
        await harness.see("^up")
        await connection.close(1001, "maintenance")
        assert connection.close_code == 1001
        await harness.see("connection closed: 1001 maintenance")
        await harness.see("^down")
        await server.connection()
        await harness.see("^up")


@in_loop
async def test_a_connection_cut_without_a_close_frame_is_reported():
    async with Server() as server, running(server.port) as harness:
        connection = await server.connection()
        await harness.see("^up")
        connection.transport.abort()
        await harness.see("^down")
        await harness.see("next attempt")


@in_loop
async def test_an_oversize_message_is_reported_and_the_connection_lives_on():
    async with Server() as server, running(server.port, limit=1024) as harness:
        connection = await server.connection()
        await connection.send('[2,"big","DataTransfer",{"data":"' + "x" * 20000 + '"}]')
        assert await harness.see("oversize") == "oversize 512 20036"
        await connection.send("echo still here")
        assert await connection.recv() == "echo still here"


@in_loop
async def test_pings_are_sent_at_the_websocketpinginterval():
    pings = []

    async def count(reader, writer):
        await handshake_then(reader, writer, b"")
        while True:
            head = await reader.readexactly(2)
            await reader.readexactly(4 + (head[1] & 0x7F))
            pings.append(head[0])
            writer.write(b"\x8a\x00")

    async with tcp_server(count) as port:
        async with running(port, {"OCPPCommCtrlr.WebSocketPingInterval": 2}, speed=20) as harness:
            await harness.see("^up")
            await asyncio.sleep(1.05)  # 21 of the link's seconds
            await harness.tell("state")
            await harness.see("state open")
    assert 7 <= len(pings) <= 11
    assert set(pings) == {0x89}


@in_loop
async def test_a_half_open_line_is_dropped_after_two_intervals():
    loop = asyncio.get_running_loop()

    async def mute(reader, writer):
        await handshake_then(reader, writer, b"")
        await asyncio.sleep(30)

    async with tcp_server(mute) as port:
        async with running(port, {"OCPPCommCtrlr.WebSocketPingInterval": 5}, speed=10) as harness:
            await harness.see("^up")
            start = loop.time()
            await harness.see("^down")
            assert 0.8 < loop.time() - start < 2.0  # 10 of the link's seconds
            await harness.see("half-open")
            await harness.see("next attempt")


@in_loop
async def test_a_server_that_talks_but_never_answers_pings_is_left_in_the_end():
    async def chatter(reader, writer):
        await handshake_then(reader, writer, b"")
        while not writer.is_closing():
            writer.write(b"\x81\x02[]")
            await asyncio.sleep(0.05)

    async with tcp_server(chatter) as port:
        async with running(port, {"OCPPCommCtrlr.WebSocketPingInterval": 4}, speed=20) as harness:
            await harness.see("half-open")


@in_loop
async def test_a_silent_but_healthy_line_stays_up_while_pongs_come():
    async with Server() as server:
        async with running(server.port, {"OCPPCommCtrlr.WebSocketPingInterval": 1}, speed=10) as harness:
            await harness.see("^up")
            await asyncio.sleep(1.5)  # 15 intervals
            await harness.tell("state")
            await harness.see("state")
            assert harness.lines[-1] == "state open"
            assert "down" not in harness.lines


@in_loop
async def test_a_line_on_which_nobody_has_anything_to_say_stays_up():
    async with Server() as server, running(server.port, speed=100) as harness:
        await harness.see("^up")
        await asyncio.sleep(0.7)  # 70 s, and pings are off
        await harness.tell("state")
        await harness.see("state open")
        assert "down" not in harness.lines


@in_loop
async def test_a_server_that_does_not_read_is_dropped_and_does_not_fill_the_memory():
    async def deaf(reader, writer):
        await handshake_then(reader, writer, b"")
        writer.transport.pause_reading()
        frame = b"\x81\x7e\x01\x00echo" + b"x" * 252
        with contextlib.suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(frame * 20)
                await writer.drain()
        writer.close()

    async with tcp_server(deaf) as port, running(port, speed=30) as harness:
        await harness.see("link lost: the CSMS does not read", 30)
        await harness.tell("memory")
        assert int((await harness.see("memory")).split()[1]) < 150_000


@in_loop
async def test_disconnect_closes_politely_and_stays_closed_until_connect():
    async with Server() as server, running(server.port, speed=20) as harness:
        connection = await server.connection()
        await harness.see("^up")
        await harness.tell("disconnect")
        await connection.wait_closed()
        assert connection.close_code == 1000
        await harness.see("^down")
        await asyncio.sleep(0.4)
        await harness.tell("state")
        await harness.see("state off")
        assert server.connections.empty()
        before = len(harness.lines)
        await harness.tell("connect")
        await harness.see("^up")
        assert not [line for line in harness.lines[before:] if "next attempt" in line], "at once"


@in_loop
async def test_disconnect_from_a_server_that_does_not_answer_the_close_ends_too():
    async def mute(reader, writer):
        await handshake_then(reader, writer, b"")
        await asyncio.sleep(30)

    async with tcp_server(mute) as port, running(port) as harness:
        await harness.see("^up")
        await harness.tell("disconnect")
        await harness.see("no answer to the close frame")
        await harness.tell("state")
        await harness.see("state off")


@in_loop
async def test_disconnect_while_dialling_and_while_waiting_stops_the_attempts():
    async def silence(reader, writer):
        await asyncio.sleep(30)

    async with tcp_server(silence) as port:
        async with running(port) as harness:
            await harness.tell("disconnect")
            await harness.see("cannot connect: disconnected")
            await harness.tell("state")
            await harness.see("state off")
            await harness.tell("due")
            await harness.see("due None")  # nothing that the watchdog would wait for
    async with running(port, {"OCPPCommCtrlr.RetryBackOffWaitMinimum": 1000}) as harness:
        await harness.see("next attempt")
        await harness.tell("disconnect")
        await asyncio.sleep(0.1)
        await harness.tell("state")
        await harness.see("state off")


@in_loop
async def test_connect_cuts_the_waiting_short():
    async with Server() as server:
        server.answer = lambda connection, request: connection.respond(http.HTTPStatus.NOT_FOUND, "")
        async with running(server.port, {"OCPPCommCtrlr.RetryBackOffWaitMinimum": 86400}, speed=1) as harness:
            await harness.see("next attempt to connect in 86400 s")
            await harness.tell("connect")
            await harness.see("connection refused")
            await harness.see("next attempt to connect in 86400 s")
            await asyncio.sleep(0.3)  # the command was for one attempt only
            await harness.tell("state")
            await harness.see("state waiting")
            assert len(server.requests) == 2
            server.answer = None
            await harness.tell("connect")
            await harness.see("^up")


@in_loop
async def test_connect_after_disconnect_dials_at_once_and_its_back_off_begins_anew():
    async with Server() as server:
        server.answer = lambda connection, request: connection.respond(http.HTTPStatus.NOT_FOUND, "")
        async with running(server.port, speed=20) as harness:
            await harness.see("next attempt to connect in 4 s")
            await harness.tell("disconnect")
            await harness.tell("state")
            await harness.see("state")
            await harness.tell("connect")
            before = len(harness.lines)
            await harness.see("connection refused")
            assert not [line for line in harness.lines[before:] if "next attempt" in line]
            await harness.see("next attempt to connect in 1 s")


@in_loop
async def test_a_link_that_the_station_wants_anew_is_closed_when_all_is_said_and_dialled_at_once():
    async with Server() as server, running(server.port) as harness:
        connection = await server.connection()
        await harness.see("^up")
        await harness.tell("reconnect")
        await asyncio.sleep(0.2)
        await harness.tell("state")
        await harness.see("^state open")
        await harness.tell("send last words")
        assert await connection.recv() == "last words"
        await connection.wait_closed()
        assert connection.close_code == 1000
        await harness.see("^down")
        await harness.see("^up")
        assert not [line for line in harness.lines if "next attempt" in line]


@in_loop
async def test_a_fault_of_the_station_that_has_something_to_send_is_raised_too():
    async with Server() as server, running(server.port) as harness:
        await harness.see("^up")
        await harness.tell("fail write")
        await harness.see("^down")
        await harness.see("crash KeyError")
        await harness.see("^up")


@in_loop
async def test_a_fault_of_the_station_is_raised_and_the_link_comes_back_after_the_back_off():
    async with Server() as server, running(server.port) as harness:
        connection = await server.connection()
        await harness.tell("fail read")
        await asyncio.sleep(0.2)
        await connection.send("boom")
        await harness.see("^down")
        await harness.see("crash KeyError")
        await harness.see("next attempt")
        await harness.see("^up")


@in_loop
async def test_reconnecting_again_and_again_does_not_use_up_memory():
    async with Server() as server, running(server.port, speed=50) as harness:
        used = []
        for attempt in range(12):
            connection = await server.connection()
            await harness.see("^up")
            if attempt >= 2:
                await harness.tell("memory")
                used.append(int((await harness.see("memory")).split()[1]))
            await connection.close()
            await harness.see("^down")
        assert max(used) - min(used) < 2000
