"""wss:// on real MicroPython: the one CSMS that is trusted, and why all others are not."""

import asyncio
import base64
import contextlib
import re
import ssl

import pytest
from link_peers import PASSWORD, Server, in_loop, running
from tls_peers import HOST, WRONG, pki, right, stranger, tls_server

from tools.pki import Pki, server_context


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
    for certificate, name in ((pki().server(HOST, use_rsa=True), "ca.der"), (pki().server(HOST), "several.pem")):
        async with Server(server_context(certificate)) as server:
            async with secured(server.port, ca_certificate=name) as harness:
                await harness.see("^up")


@pytest.mark.parametrize("ciphers", [
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
    "AES128-GCM-SHA256", "AES256-GCM-SHA384",
])
def test_tc_a_04_both_suites_of_both_pairs_are_offered(ciphers):
    async def situation():
        certificate = pki().server(HOST, use_rsa=not ciphers.startswith("ECDHE"))
        context = server_context(certificate, version=ssl.TLSVersion.TLSv1_2, ciphers=ciphers)
        async with Server(context) as server, secured(server.port) as harness:
            connection = await server.connection()
            assert connection.transport.get_extra_info("ssl_object").cipher()[0] == ciphers
            await harness.see("^up")

    asyncio.run(situation())


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
async def test_a_certificate_that_names_the_host_beside_a_wildcard_is_good():
    async with Server(server_context(pki().server("*.example", "csms.example"))) as server:
        async with secured(server.port, host="CSMS.example") as harness:
            await harness.see("^up")


@in_loop
async def test_a_csms_that_does_not_know_the_client_certificate_is_an_event_of_its_own():
    stranger_client = {"client_certificate": "stranger.pem", "client_key": "stranger.key", "security_profile": 3}
    with tls_server(right(client_root=pki().root, version=ssl.TLSVersion.TLSv1_2)) as port:
        async with secured(port, **stranger_client) as harness:
            assert "wants another client certificate" in await harness.see("^event FailedToAuthenticateAtCsms ")


@pytest.mark.parametrize("settings, field", [
    ({"ca_certificate": "none.pem"}, "ca_certificate"),
    ({"ca_certificate": "rubbish.pem"}, "ca_certificate"),
    ({**CLIENT, "client_key": "none.pem"}, "client_key"),
    ({**CLIENT, "client_certificate": "rubbish.pem"}, "client_certificate"),
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

    async with Server(right()) as server, secured(server.port, speed=100) as harness:
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
