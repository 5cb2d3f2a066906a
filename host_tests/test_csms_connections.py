"""The development CSMS: which connections it takes, refuses, spoils and drops."""

import asyncio

import pytest
import websockets.asyncio.client
import websockets.exceptions
from csms_peer import connected, run

from tools.csms import Csms, NotSeen


@run
async def test_basic_auth_answers_401_without_the_right_password():
    async with Csms(password="correct horse") as csms:
        for credentials in ("", "S1:wrong@", "S2:correct%20horse@"):
            url = csms.url.replace("ws://", "ws://" + credentials) + "/S1"
            with pytest.raises(websockets.exceptions.InvalidStatus) as caught:
                await websockets.asyncio.client.connect(url, subprotocols=["ocpp2.0.1"])
            assert caught.value.response.status_code == 401
            assert caught.value.response.headers["WWW-Authenticate"].startswith("Basic")
        url = csms.url.replace("ws://", "ws://S1:correct%20horse@") + "/S1"
        async with websockets.asyncio.client.connect(url, subprotocols=["ocpp2.0.1"]):
            assert (await csms.station()).id == "S1"
        assert [attempt["outcome"] for attempt in csms.connections] == [401, 401, 401, "open"]


@run
async def test_unknown_stations_get_404_when_a_list_is_given():
    async with Csms(stations=("S 1",)) as csms:
        with pytest.raises(websockets.exceptions.InvalidStatus) as caught:
            await websockets.asyncio.client.connect(csms.url + "/S2", subprotocols=["ocpp2.0.1"])
        assert caught.value.response.status_code == 404
        async with connected(csms, "S%201") as (station, link):
            assert link.id == "S 1"


@run
async def test_without_the_subprotocol_the_handshake_completes_and_the_connection_closes():
    async with Csms() as csms:
        async with websockets.asyncio.client.connect(csms.url + "/S1", subprotocols=["ocpp1.6"]) as socket:
            assert socket.subprotocol is None
            with pytest.raises(websockets.exceptions.ConnectionClosedError):
                await socket.recv()
            assert socket.close_code == 1002
        csms.subprotocol = None
        async with websockets.asyncio.client.connect(csms.url + "/S1", subprotocols=["ocpp2.0.1"]) as socket:
            assert socket.subprotocol is None
        with pytest.raises(NotSeen, match="no station connected"):
            await csms.station(timeout=0.05)


@run
async def test_connections_can_be_refused_in_three_ways():
    async with Csms() as csms:
        csms.refuse_connections = 503
        with pytest.raises(websockets.exceptions.InvalidStatus) as caught:
            await websockets.asyncio.client.connect(csms.url + "/S1", proxy=None)
        assert caught.value.response.status_code == 503
        csms.refuse_connections = True
        with pytest.raises((OSError, EOFError, websockets.exceptions.InvalidHandshake)):
            await websockets.asyncio.client.connect(csms.url + "/S1")
        assert [attempt["outcome"] for attempt in csms.connections] == [503, "aborted"]
        await csms.stop()
        with pytest.raises(OSError):
            await websockets.asyncio.client.connect(csms.url + "/S1")
        csms.refuse_connections = False
        await csms.start()
        async with connected(csms) as (station, link):
            await station.call("Heartbeat", {})
        assert csms.connections[0]["at"] < csms.connections[-1]["at"]


@run
async def test_the_handshake_can_be_spoilt():
    async with Csms() as csms:
        def spoil(response):
            response.headers.pop("Sec-WebSocket-Accept", None)
            response.headers["Sec-WebSocket-Accept"] = "wrong"
        csms.on_handshake = spoil
        with pytest.raises(websockets.exceptions.InvalidHandshake):
            await websockets.asyncio.client.connect(csms.url + "/S1", subprotocols=["ocpp2.0.1"])


@run
async def test_drop_ends_without_a_close_frame_and_close_with_one():
    async with Csms() as csms:
        async with connected(csms) as (station, link):
            link.drop()
            with pytest.raises(websockets.exceptions.ConnectionClosedError):
                await station.receive()
            assert station.socket.close_code == 1006
        async with connected(csms) as (station, link):
            closing = asyncio.create_task(link.close(1001, "bye"))
            with pytest.raises(websockets.exceptions.ConnectionClosed):
                await station.receive()
            assert (station.socket.close_code, station.socket.close_reason) == (1001, "bye")
            assert await closing == (1001, "bye")


@run
async def test_a_frozen_link_answers_no_ping():
    async with Csms() as csms, connected(csms, ping_interval=None) as (station, link):
        assert await link.ping() >= 0
        await (await station.socket.ping())
        assert len(link.pings) == 1
        link.freeze()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(await station.socket.ping(), 0.05)
        link.thaw()
        await asyncio.wait_for(await station.socket.ping(), 2)


@run
async def test_the_next_station_is_the_next_connection():
    async with Csms() as csms:
        seen = []
        csms.watch(lambda at, station_id, direction, text: seen.append((station_id, direction)))
        async with connected(csms, "A") as (station, link):
            async with connected(csms, "B") as (other, other_link):
                assert (link.id, other_link.id, csms.link) == ("A", "B", other_link)
            await other_link.wait_closed()
            assert csms.link is link
            await station.call("Heartbeat", {})
        assert seen[:5] == [("A", "--"), ("B", "--"), ("B", "--"), ("A", "<-"), ("A", "->")]
        assert len(csms.events("Heartbeat")) == 1
