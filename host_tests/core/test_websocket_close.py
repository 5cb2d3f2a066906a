"""The end of a connection: the close handshake from both sides, its codes and reasons, and links that just break."""

import websocket_peer as peer

VALID = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999)
INVALID = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 65535)


def test_close_of_the_server_is_answered_and_reported():
    ws = peer.connected()
    ws.feed(peer.closing(1001, "restart für Wartung"))
    assert peer.events(ws) == [("closed", 1001, "restart für Wartung")]
    assert peer.sent(ws) == [(peer.CLOSE, b"\x03\xe9")] and ws.state == "closed"


def test_every_valid_code_is_echoed():
    for code in VALID:
        ws = peer.connected()
        ws.feed(peer.closing(code))
        assert peer.events(ws) == [("closed", code, "")]
        assert peer.sent(ws) == [(peer.CLOSE, bytes([code >> 8, code & 255]))]


def test_close_without_a_code_is_answered_without_one():
    ws = peer.connected()
    ws.feed(peer.closing())
    assert peer.events(ws) == [("closed", 1005, "")]
    assert peer.sent(ws) == [(peer.CLOSE, b"")]


def test_codes_that_must_not_travel_break_the_protocol():
    for code in INVALID:
        ws = peer.connected()
        ws.feed(peer.closing(code))
        assert peer.failed_with(ws, 1002), code


def test_close_with_half_a_code_breaks_the_protocol():
    ws = peer.connected()
    ws.feed(peer.frame(peer.CLOSE, b"\x03"))
    assert peer.failed_with(ws, 1002)


def test_longest_reason():
    ws = peer.connected()
    ws.feed(peer.closing(1000, "r" * 123))
    assert peer.events(ws) == [("closed", 1000, "r" * 123)]


def test_reason_that_is_not_utf8():
    for reason in (b"\xff", b"half \xe2\x82", b"\xed\xa0\x80", b"\xc0\xaf"):
        ws = peer.connected()
        ws.feed(peer.closing(1000, reason))
        assert peer.failed_with(ws, 1007), reason


def test_close_within_a_fragmented_message_ends_it():
    ws = peer.connected()
    ws.feed(peer.frame(peer.TEXT, "half", final=False) + peer.closing(1000) + peer.frame(peer.CONTINUATION, "rest"))
    assert peer.events(ws) == [("closed", 1000, "")]
    assert peer.sent(ws) == [(peer.CLOSE, b"\x03\xe8")]


def test_nothing_is_heard_after_the_close():
    ws = peer.connected()
    ws.feed(peer.closing(1000) + peer.frame(peer.TEXT, "x") + peer.frame(peer.PING) + peer.closing(1001))
    ws.feed(peer.frame(3))
    ws.feed_eof()
    assert peer.events(ws) == [("closed", 1000, "")]
    assert peer.sent(ws) == [(peer.CLOSE, b"\x03\xe8")]


def test_own_close_waits_for_the_answer():
    ws = peer.connected()
    ws.close("going to reboot")
    assert ws.state == "closing" and ws.next_event() is None
    assert peer.sent(ws) == [(peer.CLOSE, b"\x03\xe8going to reboot")]
    ws.feed(peer.closing(1001))
    assert peer.events(ws) == [("closed", 1001, "")] and not ws.take() and ws.state == "closed"


def test_own_close_is_sent_once():
    ws = peer.connected()
    ws.close("")
    ws.close("")
    assert peer.sent(ws) == [(peer.CLOSE, b"\x03\xe8")]


def test_closes_that_cross():
    ws = peer.connected()
    ws.close("")
    ws.feed(peer.closing(1000, "idle"))
    assert peer.sent(ws) == [(peer.CLOSE, b"\x03\xe8")]
    assert peer.events(ws) == [("closed", 1000, "idle")]


def test_after_the_own_close_messages_still_come_in_but_nothing_goes_out():
    ws = peer.connected()
    ws.close("")
    ws.take()
    ws.feed(peer.frame(peer.TEXT, "crossed") + peer.frame(peer.PING, "?"))
    assert peer.events(ws) == [("text", "crossed")]
    assert not ws.send_text("late") and not ws.ping() and not ws.take()


def test_breach_after_the_own_close_is_reported_but_not_told():
    ws = peer.connected()
    ws.close("")
    ws.take()
    ws.feed(peer.frame(3))
    assert peer.events(ws) == [("closed", 1002, "frame header 8300")] and not ws.take()


def test_nothing_is_sent_after_the_answer_to_a_close():
    ws = peer.connected()
    ws.feed(peer.closing(1000))
    assert peer.events(ws) == [("closed", 1000, "")]
    ws.take()
    ws.close("")
    assert not ws.send_text("late") and not ws.ping() and not ws.take()


def test_answer_to_a_message_in_the_same_read_as_the_close_still_goes_out():
    ws = peer.connected()
    ws.feed(peer.frame(peer.TEXT, "question") + peer.closing(1000))
    assert ws.next_event() == ("text", "question")
    assert ws.send_text("answer")
    assert peer.events(ws) == [("closed", 1000, "")]
    assert peer.sent(ws) == [(peer.TEXT, b"answer"), (peer.CLOSE, b"\x03\xe8")]


def test_own_close_while_the_one_of_the_server_is_not_read_yet():
    ws = peer.connected()
    ws.feed(peer.closing(1001))
    ws.close("")
    assert peer.events(ws) == [("closed", 1001, "")]
    assert peer.sent(ws) == [(peer.CLOSE, b"\x03\xe8")] and ws.state == "closed"


def test_text_sent_before_the_own_close_goes_first():
    ws = peer.connected()
    ws.send_text("last words")
    ws.close("")
    assert peer.sent(ws) == [(peer.TEXT, b"last words"), (peer.CLOSE, b"\x03\xe8")]


def test_broken_link():
    ws = peer.connected()
    ws.feed_eof()
    ws.feed_eof()
    assert peer.events(ws) == [("closed", 1006, "connection lost")] and not ws.take() and ws.state == "closed"


def test_link_that_breaks_within_a_message():
    ws = peer.connected()
    ws.feed(peer.frame(peer.TEXT, "[2,")[:-1])
    ws.feed_eof()
    assert peer.events(ws) == [("closed", 1006, "connection lost")]


def test_link_that_breaks_before_the_own_close_is_answered():
    ws = peer.connected()
    ws.close("")
    ws.feed_eof()
    assert peer.events(ws) == [("closed", 1006, "connection lost")]


def test_end_of_the_link_after_the_close_handshake_is_no_news():
    ws = peer.connected()
    ws.feed(peer.closing(1000))
    ws.feed_eof()
    assert peer.events(ws) == [("closed", 1000, "")]


def test_longest_reason_of_the_own_close():
    ws = peer.connected()
    ws.close("r" * 123)
    assert peer.sent(ws) == [(peer.CLOSE, b"\x03\xe8" + b"r" * 123)]
