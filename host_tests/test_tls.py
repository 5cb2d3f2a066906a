"""wss:// on real MicroPython: the one CSMS that is trusted, and why all others are not."""

import asyncio
import base64
import contextlib
import re
import socket
import ssl
import struct
import subprocess

import pytest
from link_peers import FIRMWARE, MICROPYTHON, PASSWORD, Server, in_loop, running
from tls_peers import HOST, WRONG, answering, client_hello, pki, right, stranger, tls_server

from tools.pki import EXPIRED, Pki, server_context


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    """The harness runs in a directory with the files that a board would have."""
    monkeypatch.chdir(tmp_path)
    client = pki().client("SN-1")
    for name, content in {"ca.pem": pki().root.pem, "ca.der": pki().root.der, "station.pem": client.pem,
                          "station.key": client.key_pem, "stranger.pem": stranger().client("SN-1").pem,
                          "stranger.key": stranger().client("SN-1").key_pem}.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def secured(port, host=HOST, **settings):
    """A link that dials wss://; `settings` change its configuration."""
    return running(port, **{"csms_url": f"wss://{host}:{port}/ocpp", "ca_certificate": "ca.pem", **settings})


CLIENT = {"client_certificate": "station.pem", "client_key": "station.key", "security_profile": 3}


@in_loop
async def test_messages_travel_both_ways_over_tls():
    async with Server(right()) as server, secured(server.port) as harness:
        connection = await server.connection()
        await harness.see("^up")
        for size in (10, 7000):
            await connection.send("echo " + "x" * size)
            assert await connection.recv() == "echo " + "x" * size
        await harness.tell("send [2]")
        assert await connection.recv() == "[2]"


@in_loop
async def test_profile_2_is_tls_1_2_with_an_aead_cipher_and_a_password():
    async with Server(right()) as server, secured(server.port) as harness:
        connection = await server.connection()
        tls = connection.transport.get_extra_info("ssl_object")
        assert tls.version() == "TLSv1.2"
        assert "GCM" in tls.cipher()[0]
        assert tls.getpeercert() is None
        await harness.see("^up")
        credentials = base64.b64encode(f"A+1:{PASSWORD}".encode()).decode()
        assert server.requests[0].headers["Authorization"] == "Basic " + credentials


@in_loop
async def test_profile_3_shows_the_client_certificate_and_no_password():
    async with Server(right(client_root=pki().root)) as server, secured(server.port, **CLIENT) as harness:
        connection = await server.connection()
        tls = connection.transport.get_extra_info("ssl_object")
        assert (("commonName", "SN-1"),) in tls.getpeercert()["subject"]
        await harness.see("^up")
        assert "Authorization" not in server.requests[0].headers


@in_loop
async def test_an_rsa_server_and_a_der_file_and_a_file_of_several_authorities_do_too(directory=None):
    everybody = Pki("One that is not asked").root.pem + pki().root.pem
    with open("several.pem", "wb") as file:
        file.write(everybody)
    for certificate, name in ((pki().server(HOST, use_rsa=2048), "ca.der"), (pki().server(HOST), "several.pem")):
        async with Server(server_context(certificate)) as server:
            async with secured(server.port, ca_certificate=name) as harness:
                await harness.see("^up")


@pytest.mark.parametrize("ciphers", [
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
    "AES128-GCM-SHA256", "AES256-GCM-SHA384",
])
def test_tc_a_04_both_suites_of_both_pairs_are_offered(ciphers):
    async def situation():
        certificate = pki().server(HOST, use_rsa=0 if ciphers.startswith("ECDHE") else 2048)
        context = server_context(certificate, version=ssl.TLSVersion.TLSv1_2, ciphers=ciphers)
        async with Server(context) as server, secured(server.port) as harness:
            connection = await server.connection()
            assert connection.transport.get_extra_info("ssl_object").cipher()[0] == ciphers
            await harness.see("^up")

    asyncio.run(situation())


def test_what_is_offered_on_the_wire_is_the_two_pairs_and_forward_secrecy_and_nothing_else():
    """A00.FR.318: both suites of a pair; no CBC, no compression, TLS 1.2, and the name of the host."""

    async def situation():
        with answering(b"") as (port, heard):
            async with secured(port, host="csms.example") as harness:
                await harness.see("^log warning cannot connect: the CSMS hung up during the handshake, ")
        hello = client_hello(heard[0])
        assert hello["version"] == 0x0303 and hello["compressions"] == [0]
        assert hello["suites"] == [0xC02B, 0xC02C, 0xC02F, 0xC030, 0x009C, 0x009D, 0x00FF]  # the last: RFC 5746
        assert hello["host"] == b"csms.example"

    asyncio.run(situation())


@pytest.mark.parametrize("answer, words, event", [
    ("15 0303 0002 0246", "does not speak TLS 1.2", "InvalidTLSVersion"),  # protocol_version
    ("15 0302 0002 0228", "does not speak TLS 1.2", "InvalidTLSVersion"),  # handshake_failure, told by TLS 1.1
    ("15 0303 0002 0228", "no cipher suite in common", "InvalidTLSCipherSuite"),  # handshake_failure
    ("15 0303 0002 0247", "no cipher suite in common", "InvalidTLSCipherSuite"),  # insufficient_security
    ("15 0303 0002 0270", "broke the handshake off, alert 112 of TLS", None),  # unrecognized_name
])
def test_an_alert_that_mbed_tls_keeps_to_itself_is_told(answer, words, event):
    """The numbers are those of RFC 5246, 7.2."""

    async def situation():
        with answering(bytes.fromhex(answer)) as (port, heard):
            async with secured(port) as harness:
                if event:
                    assert words in await harness.see(f"^event {event} ")
                assert words in await harness.see("^log warning cannot connect: ")
                assert event or not [line for line in harness.lines if line.startswith("event")]
        # The second look says what the first said, but for its random numbers.
        assert [hello[:11] + hello[43:] for hello in heard[:2]] == [heard[0][:11] + heard[0][43:]] * 2
        assert heard[0][11:43] != heard[1][11:43]

    asyncio.run(situation())


@pytest.mark.parametrize("second", ["", "16 0303 0059 0246", "15 03"])
def test_an_alert_that_does_not_come_again_stays_unknown_and_is_no_event(second):
    """There may be nothing, a ServerHello, or half an alert, the second time."""

    async def situation():
        with answering(bytes.fromhex("15 0303 0002 0228"), bytes.fromhex(second)) as (port, _):
            async with secured(port) as harness:
                await harness.see("^log warning cannot connect: the CSMS broke the handshake off, wss://")
                assert not [line for line in harness.lines if line.startswith("event")]
                await harness.see("next attempt")

    asyncio.run(situation())


@in_loop
async def test_a_csms_that_is_silent_the_second_time_is_given_up_after_some_seconds_and_let_go():
    """Nobody else looks after the second look."""
    heard = asyncio.Queue()

    async def serve(reader, writer):
        hello = await reader.read(4096)
        if heard.empty():
            heard.put_nowait(hello)
            writer.write(bytes.fromhex("15 0303 0002 0228"))
        else:
            heard.put_nowait(await reader.read())  # until the station closes
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    async with secured(server.sockets[0].getsockname()[1]) as harness:
        await harness.see("^log warning cannot connect: the CSMS broke the handshake off, wss://")
        await heard.get()
        assert await asyncio.wait_for(heard.get(), 2) == b""
    server.close()


@pytest.mark.parametrize("name", WRONG)
def test_who_is_refused_is_logged_in_plain_words_and_becomes_an_event(name):
    async def situation():
        make, words, event = WRONG[name]
        with tls_server(make()) as port:
            async with secured(port) as harness:
                assert re.search(words, await harness.see(f"^event {event} "))
                assert re.search(words, await harness.see("^log warning cannot connect: "))
                await harness.see("next attempt to connect in 1 s")
                await harness.see("^event ")  # it did try again
                assert not [line for line in harness.lines if line.startswith(("up", "crash")) or PASSWORD in line]

    asyncio.run(situation())


@in_loop
async def test_a_wildcard_certificate_is_refused_before_the_password_is_sent():
    """TC_A_05 by the errata: there is no AllowCSMSTLSWildcards."""
    async with Server(server_context(pki().server("*.example"))) as server:
        async with secured(server.port, host="csms.example") as harness:
            line = await harness.see("^event InvalidCsmsCertificate")
            assert "the CSMS's certificate has a wildcard" in line
            await harness.see("next attempt")
            assert not server.requests


@in_loop
async def test_a_wildcard_certificate_is_good_enough_where_that_is_configured():
    async with Server(server_context(pki().server("*.example"))) as server:
        variables = {"SecurityCtrlr.AllowCSMSTLSWildcards": "true"}
        async with secured(server.port, host="csms.example", variables=variables) as harness:
            await harness.see("^up")
    async with Server(server_context(pki().server("*.other"))) as server:
        async with secured(server.port, host="csms.example", variables=variables) as harness:
            await harness.see("^event InvalidCsmsCertificate .* is for another host")


@in_loop
async def test_a_certificate_that_names_the_host_beside_a_wildcard_is_good():
    async with Server(server_context(pki().server("*.example", "csms.example"))) as server:
        async with secured(server.port, host="CSMS.example") as harness:
            await harness.see("^up")


@in_loop
async def test_a_csms_that_does_not_know_the_client_certificate_is_an_event_of_its_own():
    stranger_client = {"client_certificate": "stranger.pem", "client_key": "stranger.key", "security_profile": 3}
    with tls_server(right(client_root=pki().root, version=ssl.TLSVersion.TLSv1_2)) as port:
        async with secured(port, **stranger_client) as harness:
            assert "does not take this client certificate" in await harness.see("^event FailedToAuthenticateAtCsms ")


# --- chains of certificates


@in_loop
async def test_a_csms_whose_certificate_an_intermediate_authority_signed_is_good():
    between = Pki("In between", issuer=pki().root)
    context = server_context(between.server(HOST), chain=(between.root,))
    async with Server(context) as server, secured(server.port) as harness:
        await harness.see("^up")


@pytest.mark.parametrize("between, words", [
    (Pki("In between", EXPIRED, pki().root), "has expired"),
    (Pki("In between", issuer=stranger().root), "is not signed by the CA in ca_certificate"),
])
def test_a_chain_is_as_good_as_its_worst_certificate(between, words):
    async def situation():
        with tls_server(server_context(between.server(HOST), chain=(between.root,))) as port:
            async with secured(port) as harness:
                assert words in await harness.see("^event InvalidCsmsCertificate ")

    asyncio.run(situation())


@in_loop
async def test_a_certificate_that_is_no_authority_cannot_sign_another():
    thief = Pki("Thief")
    thief.root = pki().server("thief.example")  # good, but for a server
    with tls_server(server_context(thief.server(HOST), chain=(thief.root,))) as port:
        async with secured(port) as harness:
            await harness.see("^event InvalidCsmsCertificate .* is not signed by the CA in ca_certificate")


@in_loop
async def test_the_client_certificate_brings_its_intermediate_authority_along():
    between = Pki("In between", issuer=pki().root)
    client = between.client("SN-2")
    with open("station.pem", "wb") as file:
        file.write(client.pem + between.root.pem + client.key_pem)  # all in one file is good, too
    chained = {**CLIENT, "client_key": "station.pem"}
    async with Server(right(client_root=pki().root)) as server, secured(server.port, **chained) as harness:
        connection = await server.connection()
        tls = connection.transport.get_extra_info("ssl_object")
        assert (("commonName", "SN-2"),) in tls.getpeercert()["subject"]
        await harness.see("^up")
    with open("station.pem", "wb") as file:
        file.write(client.pem + client.key_pem)
    with tls_server(right(client_root=pki().root, version=ssl.TLSVersion.TLSv1_2)) as port:
        async with secured(port, **chained) as harness:
            await harness.see("^event FailedToAuthenticateAtCsms ")


@pytest.mark.parametrize("settings, field", [
    ({"ca_certificate": "none.pem"}, "ca_certificate"),
    ({"ca_certificate": "rubbish.pem"}, "ca_certificate"),
    ({**CLIENT, "client_key": "none.pem"}, "client_key"),
    ({**CLIENT, "client_certificate": "rubbish.pem"}, "client_certificate"),
    ({**CLIENT, "client_certificate": "station.key"}, "client_certificate"),
    ({**CLIENT, "client_key": "station.pem"}, "client_key"),
])
def test_files_that_are_no_certificates_are_named(directory, settings, field):
    (directory / "rubbish.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")

    async def situation():
        async with Server(right()) as server, secured(server.port, **settings) as harness:
            assert re.search(f"{field}.* cannot be used", await harness.see("^log warning cannot connect"))
            await harness.see("next attempt")

    asyncio.run(situation())


@in_loop
async def test_a_server_that_hangs_up_before_the_handshake_is_a_failed_attempt_and_no_event():
    async with asyncio.timeout(20):
        server = await asyncio.start_server(lambda reader, writer: writer.close(), HOST, 0)
        async with secured(server.sockets[0].getsockname()[1]) as harness:
            await harness.see("^log warning cannot connect")
            await harness.see("next attempt")
            assert not [line for line in harness.lines if line.startswith("event")]
        server.close()


@in_loop
async def test_a_server_that_is_silent_during_the_handshake_is_given_up_and_the_clock_goes_on():
    async def silent(reader, writer):
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, HOST, 0)
    async with secured(server.sockets[0].getsockname()[1], speed=100) as harness:
        await harness.see("no answer to the handshake")
        await harness.see("next attempt")
    server.close()


@in_loop
async def test_a_server_that_says_nothing_after_the_tls_handshake_has_nothing_against_our_certificate():
    async def silent(reader, writer):
        with contextlib.suppress(ConnectionError):
            await reader.read()
            await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, HOST, 0, ssl=right())
    async with secured(server.sockets[0].getsockname()[1], speed=100) as harness:
        await harness.see("^log warning cannot connect: no answer to the handshake")
        await harness.see("next attempt")
        assert not [line for line in harness.lines if line.startswith("event")]
    server.close()


@pytest.mark.parametrize("settings", [{}, CLIENT])
def test_a_csms_that_hangs_up_on_the_request_has_nothing_against_our_certificate(settings):
    """A proxy in front of a CSMS that is down: good with TLS, and then a reset."""

    async def reset(reader, writer):
        await reader.read(1)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def situation():
        context = right(client_root=pki().root) if settings else right()
        server = await asyncio.start_server(reset, HOST, 0, ssl=context)
        async with secured(server.sockets[0].getsockname()[1], **settings) as harness:
            for _ in range(2):
                assert "certificate" not in await harness.see("^log .* (cannot connect|connection refused): ")
            assert not [line for line in harness.lines if line.startswith("event")]
        server.close()

    asyncio.run(situation())


@pytest.mark.parametrize("error", [
    "OSError(12)", "OSError(-0x2880, 'MBEDTLS_ERR_X509_ALLOC_FAILED')", "OSError(16)",
    "MemoryError('memory allocation failed, allocating 4096 bytes')",
])
def test_memory_that_is_too_small_for_tls_is_told_as_such(error):
    """As MicroPython raises them (extmod/modtls_mbedtls.c): -16, MPI_ALLOC_FAILED, comes as an errno."""
    program = f"""
import asyncio, json, sys
sys.path.insert(0, {str(FIRMWARE)!r})
from holdfast import config, tls
settings = {{"station_id": "A", "csms_url": "wss://csms.example", "ca_certificate": "ca.pem", "password": "x" * 20,
             "evses": [{{"connectors": ["cType2"]}}]}}
attempt = tls.Handshake(config.load(json.dumps(settings)), None, False)
print(asyncio.run(attempt.explain({error})))
"""
    done = subprocess.run([MICROPYTHON, "-c", program], capture_output=True, text=True, timeout=20)
    assert done.stdout == "('not enough memory for TLS', 'MemoryExhaustion')\n", done.stderr


@pytest.mark.parametrize("utc, certain, put_right", [
    (+7200, False, True), (-7200, False, False), (-7200, True, True), (0, True, False), (None, False, False),
])
def test_the_clock_is_only_put_back_by_who_knows_the_time(utc, certain, put_right):
    """It may run well since a restart, and what NVS knows of the time is a day old."""
    program = f"""
import sys, time
sys.path.insert(0, {str(FIRMWARE)!r})
from holdfast import tls
class machine:
    class RTC:
        def datetime(self, moment):
            print(moment)
tls.machine = machine
now = int(time.time())
utc = {utc} if {utc} is None else now + {utc}
tls.set_clock(utc, {certain})
if {put_right}:
    moment = time.gmtime(utc)
    print(moment[:3] + (moment[6],) + moment[3:6] + (0,))
"""
    done = subprocess.run([MICROPYTHON, "-c", program], capture_output=True, text=True, timeout=20)
    lines = done.stdout.splitlines()
    assert not done.stderr and len(lines) == 2 * put_right and len(set(lines)) == put_right


@in_loop
async def test_a_wrong_password_is_an_event():
    async with Server(right()) as server:
        server.answer = lambda connection, request: connection.respond(401, "no\n")
        async with secured(server.port) as harness:
            await harness.see("^log error connection refused: HTTP 401")
            await harness.see("^event FailedToAuthenticateAtCsms HTTP 401")


@in_loop
async def test_no_two_tls_connections_exist_at_once_and_memory_stays():
    open_now, most = 0, 0

    async def watch(connection):
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await connection.wait_closed()
        open_now -= 1

    async with Server(right()) as server, secured(server.port, speed=30) as harness:
        used = []
        for _ in range(12):
            connection = await server.connection()
            await harness.see("^up")
            watcher = asyncio.create_task(watch(connection))
            await harness.tell("memory")
            used.append(int((await harness.see("^memory")).split()[1]))
            await connection.close()
            await harness.see("^down")
            await watcher
        assert most == 1
        assert min(used[6:]) <= max(used[:6]), used  # what is left by each connection would raise them all
