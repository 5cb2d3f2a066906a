"""UTF-8, and the pieces that bytes arrive in: how a stream is cut must never change what comes out of it."""

import os
import random

import websocket_peer as peer
from holdfast.websocket import check_utf8

VALID = (b"", b"hello", "κόσμε".encode(), b"\x00", b"\x7f", b"\xc2\x80", b"\xdf\xbf", b"\xe0\xa0\x80", b"\xed\x9f\xbf",
         b"\xee\x80\x80", b"\xef\xbf\xbf", b"\xf0\x90\x80\x80", b"\xf4\x8f\xbf\xbf", b"a\xf0\x9f\x94\x8cb",
         b"\xef\xbb\xbf")
# Each with the number of bytes that may still be the beginning of a valid text.
INVALID = ((b"\x80", 0), (b"\xbf", 0), (b"a\x80", 1), (b"\xc0\x80", 0), (b"\xc1\xbf", 0), (b"\xe0\x9f\xbf", 1),
           (b"\xed\xa0\x80", 1), (b"\xed\xbf\xbf", 1), (b"\xf0\x8f\xbf\xbf", 1), (b"\xf4\x90\x80\x80", 1),
           (b"\xf5\x80\x80\x80", 0), (b"\xf8\x88\x80\x80\x80", 0), (b"\xfe", 0), (b"\xff", 0), (b"\xc2\x20", 1),
           (b"\xe2\x82\x20", 2), (b"\xf0\x90\x80\xc0", 3), (b"\xe2\xc2\x80", 1), (b"abc\xf1\x80\x80\x80\x80", 7))


def seeded():
    """Seed the generator with a new number, printed so that a failure can be repeated."""
    seed = int.from_bytes(os.urandom(3), "big")
    print("seed", seed)
    random.seed(seed)


def test_valid_texts_at_once_and_byte_by_byte():
    for text in VALID:
        assert check_utf8(text) == 0, text
        state = 0
        for byte in text:
            state = check_utf8(bytes([byte]), state)
            assert state >= 0, text
        assert state == 0, text


def test_every_beginning_of_a_valid_text_may_go_on():
    for text in VALID:
        for end in range(len(text)):
            assert check_utf8(text[end:], check_utf8(text[:end])) == 0, (text, end)


def test_invalid_texts_at_once():
    for text, _ in INVALID:
        assert check_utf8(text) == -1, text


def test_invalid_texts_fail_at_their_first_impossible_byte():
    for text, good in INVALID:
        state = check_utf8(text[:good])
        assert state >= 0, text
        assert check_utf8(text[good:good + 1], state) == -1, text


def test_text_that_ends_inside_a_character():
    for text in (b"\xc2", b"\xe2\x82", b"\xf0\x90\x80", b"ok \xf4"):
        assert check_utf8(text) > 0
        ws = peer.connected()
        ws.feed(peer.frame(peer.TEXT, text))
        assert peer.failed_with(ws, 1007)


def test_every_three_byte_form_is_valid_just_when_it_is_no_surrogate_and_not_overlong():
    for first in range(0xE0, 0xF0):
        for second in range(0x70, 0xD0):
            form = bytes((first, second, 0x80, first, second, 0xBF))
            valid = 0x80 <= second <= 0xBF and (first, second >= 0xA0) not in ((0xE0, False), (0xED, True))
            assert check_utf8(form) == (0 if valid else -1), form


def test_character_cut_by_fragments_and_by_a_ping_between():
    ws = peer.connected()
    ws.feed(peer.frame(peer.TEXT, b"\xe2", final=False) + peer.frame(peer.PING, b"\xff")
            + peer.frame(peer.CONTINUATION, b"\x82", final=False) + peer.frame(peer.CONTINUATION, b"\xac"))
    assert peer.events(ws) == [("text", "€")]


def test_wrong_byte_in_a_fragment_fails_before_the_message_ends():
    ws = peer.connected()
    ws.feed(peer.frame(peer.TEXT, b"good \xe2\x82", final=False))
    assert ws.state == "open"
    ws.feed(peer.frame(peer.CONTINUATION, b"\x20", final=False))
    assert peer.failed_with(ws, 1007)


def test_wrong_byte_in_a_frame_fails_before_the_frame_ends():
    ws = peer.connected()
    ws.feed(peer.frame(peer.TEXT, b"good \xf4\x90\x80\x80 and more")[:8])
    assert ws.state == "open"
    ws.feed(b"\x90")
    assert peer.failed_with(ws, 1007)


def test_broken_text_leaves_the_next_connection_untouched():
    for _ in range(2):
        ws = peer.connected()
        ws.feed(peer.frame(peer.TEXT, b"\xe2"))
        assert peer.failed_with(ws, 1007)


def test_control_payloads_need_not_be_utf8():
    ws = peer.connected()
    ws.feed(peer.frame(peer.PING, b"\xff\xc0") + peer.frame(peer.PONG, b"\xff\x80"))
    assert peer.sent(ws) == [(peer.PONG, b"\xff\xc0")] and peer.events(ws) == [("pong", b"\xff\x80")]


# -- pieces ------------------------------------------------------------------------------------------------------------

def conversation():
    """Return what a server sends in a busy session, handshake excluded."""
    text = "Ladepunkt 1 läuft – 7,4 kW ⚡🔌"
    return (peer.frame(peer.TEXT, text) + peer.frame(peer.PING, b"\x00\xff") + peer.frame(peer.TEXT, "a" * 126)
            + peer.frame(peer.TEXT, text.encode()[:13], final=False) + peer.frame(peer.PONG, b"1")
            + peer.frame(peer.CONTINUATION, b"", final=False) + peer.frame(peer.PING, b"2" * 125)
            + peer.frame(peer.CONTINUATION, text.encode()[13:]) + peer.frame(peer.TEXT, "x" * 700)
            + peer.frame(peer.TEXT, "") + peer.closing(1001, "bis später") + peer.frame(peer.TEXT, "never"))


def outcome(pieces):
    ws = peer.client(limit=600)
    answer = peer.response(ws)
    ws.feed(answer[:9])
    ws.feed(answer[9:] + pieces[0])
    for piece in pieces[1:]:
        ws.feed(piece)
    ws.feed_eof()
    return peer.events(ws), peer.sent(ws), ws.state


def randomly_cut(data):
    pieces, at = [], 0
    while at < len(data):
        end = at + random.choice((1, 1, 2, 3, 5, 8, 40, 300))
        pieces.append(data[at:end])
        at = end
    return pieces


def test_conversation_in_one_piece():
    text = "Ladepunkt 1 läuft – 7,4 kW ⚡🔌"
    assert outcome([conversation()]) == (
        [("open",), ("text", text), ("text", "a" * 126), ("pong", b"1"), ("text", text), ("oversize", b"x" * 512, 700),
         ("text", ""), ("closed", 1001, "bis später")],
        [(peer.PONG, b"\x00\xff"), (peer.PONG, b"2" * 125), (peer.CLOSE, b"\x03\xe9")], "closed")


def test_byte_by_byte_is_the_same_as_in_one_piece():
    data = conversation()
    assert outcome([data[at:at + 1] for at in range(len(data))]) == outcome([data])


def test_every_single_cut_is_the_same_as_none():
    data = conversation()[:460]
    whole = outcome([data])
    for at in range(1, len(data)):
        assert outcome([data[:at], data[at:]]) == whole, at


def test_random_cuts_are_the_same_as_none():
    seeded()
    data = conversation()
    whole = outcome([data])
    for _ in range(30):
        assert outcome(randomly_cut(data)) == whole


def test_random_damage_in_random_pieces_is_the_same_as_in_one():
    seeded()
    for _ in range(60):
        data = bytearray(conversation())
        for _ in range(random.randrange(4)):
            data[random.randrange(len(data))] = random.getrandbits(8)
        data = bytes(data)
        cut, whole = outcome(randomly_cut(data)), outcome([data])
        assert cut == whole, data
        assert [event[0] for event in whole[0]].count("closed") == 1


def test_random_bytes_never_raise_and_always_end():
    seeded()
    for _ in range(100):
        ws = peer.connected(limit=600)
        for _ in range(5):
            ws.feed(bytes([random.choice((0, 1, 2, 8, 9, 10, 125, 126, 127, 128, 129, 136, 255, random.getrandbits(8)))
                           for _ in range(random.randrange(80))]))
        ws.feed_eof()
        assert peer.events(ws)[-1][0] == "closed" and ws.state == "closed"
        peer.sent(ws)


def test_half_a_surrogate_pair_does_not_leave_the_station():
    """MicroPython reads JSON's "\\ud83d\\ude00" as two halves and encodes each: the server would have to close."""
    for payload, expected in ((b"a\xed\xa0\xbd\xed\xb8\x80z", b"a??????z"), (b"\xed\xaf\xbf", b"???"),
                              (b"\xed\x9f\xbf\xee\x80\x80", b"\xed\x9f\xbf\xee\x80\x80")):
        ws = peer.connected()
        assert ws.send_text(payload)
        assert peer.sent(ws) == [(1, expected)], payload
