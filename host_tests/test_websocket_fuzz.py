"""Hostile bytes against the WebSocket client, and its UTF-8 check against CPython's strict decoder."""

import itertools

from core import websocket_peer as peer
from holdfast.websocket import check_utf8
from hypothesis import given, settings
from hypothesis import strategies as st


def agrees_with_cpython(text, pieces):
    """True when the verdict on `text`, checked piece by piece, is CPython's, and given at the same byte."""
    try:
        text.decode("utf-8", "strict")
        expected, impossible = "valid", None
    except UnicodeDecodeError as error:
        expected = "unfinished" if error.reason == "unexpected end of data" else "impossible"
        impossible = error.start
    state, seen = 0, 0
    for piece in pieces:
        state = check_utf8(piece, state)
        seen += len(piece)
        if state < 0:
            # The decoder names the start of the bad character, which is at most three bytes before the bad byte.
            return expected == "impossible" and impossible < seen
    return expected == ("unfinished" if state else "valid")


def test_every_text_of_up_to_two_bytes():
    for length in range(3):
        for octets in itertools.product(range(256), repeat=length):
            text = bytes(octets)
            assert agrees_with_cpython(text, [text]), text


def test_every_boundary_byte_in_every_place_of_four():
    edges = (0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0,
             0xF1, 0xF3, 0xF4, 0xF5, 0xFF)
    for octets in itertools.product((0xC2, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF4), edges, edges, edges):
        text = bytes(octets)
        assert agrees_with_cpython(text, [text]), text


NEARLY_UTF8 = st.lists(st.one_of(
    st.text(min_size=1, max_size=3).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.characters(codec="utf-8").map(lambda character: character.encode()[:-1] or b"a"),
    st.binary(min_size=1, max_size=2))).map(b"".join)


@settings(max_examples=500, deadline=None)
@given(NEARLY_UTF8, st.lists(st.integers(0, 40)))
def test_nearly_valid_text_in_any_pieces(text, cuts):
    cuts = sorted({cut for cut in cuts if 0 < cut < len(text)})
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)])]
    assert agrees_with_cpython(text, pieces)


FRAMES = st.builds(
    lambda opcode, payload, final, reserved, claimed: peer.header(
        opcode, len(payload) if claimed is None else claimed, final, reserved) + payload,
    st.sampled_from((0, 1, 1, 1, 2, 3, 8, 9, 10, 15)), st.one_of(st.binary(max_size=140), st.text().map(str.encode)),
    st.booleans(), st.sampled_from((0,) * 20 + (1, 4)), st.sampled_from((None,) * 10 + (0, 125, 126, 70000, 1 << 62)))
PIECES = st.lists(st.one_of(st.binary(max_size=60), FRAMES, st.just("close"), st.just("say"), st.just("drain")))


def survives(ws, pieces):
    """Feed the pieces with some actions of our own between; the connection must end properly, with no exception."""
    events = []
    for piece in pieces:
        if piece == "close":
            ws.close("enough")
        elif piece == "say":
            ws.send_text("[2]")
        elif piece == "drain":
            events += peer.events(ws)
        else:
            ws.feed(piece)
    ws.feed_eof()
    events += peer.events(ws)
    assert [event[0] for event in events if event[0] in ("closed", "refused")] == [events[-1][0]]
    assert ws.state == "closed"
    return events


@settings(max_examples=500, deadline=None)
@given(PIECES)
def test_arbitrary_frames_never_raise_and_what_is_sent_is_always_well_formed(pieces):
    ws = peer.connected(limit=600)
    events = survives(ws, pieces)
    sent = peer.sent(ws)
    assert all(opcode != peer.CLOSE for opcode, _ in sent[:-1])  # nothing follows a close frame
    for event in events:
        if event[0] == "text":
            assert len(event[1].encode()) <= 600
        elif event[0] == "oversize":
            assert len(event[1]) == 512 and event[2] > 600


@settings(max_examples=300, deadline=None)
@given(PIECES)
def test_arbitrary_answers_to_the_handshake_never_raise_and_never_open(pieces):
    events = survives(peer.client(), pieces)
    assert [event[0] for event in events] == ["refused"]


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_damaged_answers_to_the_handshake_never_raise(data):
    ws = peer.client()
    answer = bytearray(peer.response(ws))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(answer)))
        answer[at:at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    events = survives(ws, [bytes(answer), peer.frame(peer.TEXT, "x")])
    assert events[0][0] in ("open", "refused")
