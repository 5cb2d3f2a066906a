"""Frames in an open connection: lengths, masks, fragments, pings, the message limit, and what breaks the protocol."""

import websocket_peer as peer
from holdfast import websocket

# -- receiving ---------------------------------------------------------------------------------------------------------

def test_text_at_every_boundary_of_the_length_encodings():
    buffer, piece = bytearray(65536), b"a" * 4096
    for size in (0, 1, 125, 126, 127, 128, 65535, 65536):
        ws = peer.connected(limit=65536, buffer=buffer)
        ws.feed(peer.header(peer.TEXT, size))
        for at in range(0, size, 4096):
            assert ws.next_event() is None
            ws.feed(piece[:size - at])
        event = ws.next_event()
        assert event[0] == "text" and len(event[1]) == size and ws.next_event() is None, size


def test_text_in_every_kind_of_buffer():
    ws = peer.connected()
    data = peer.frame(peer.TEXT, "same")
    for piece in (data, bytearray(data), memoryview(data), memoryview(bytearray(b"..") + data)[2:]):
        ws.feed(piece)
    assert peer.events(ws) == [("text", "same")] * 4


def test_receive_buffer_of_the_caller_may_be_reused_at_once():
    ws = peer.connected()
    received = bytearray(peer.frame(peer.TEXT, "first"))
    ws.feed(received)
    received[2:] = b"XXXXX"
    assert peer.events(ws) == [("text", "first")]


def test_empty_feed_changes_nothing():
    ws = peer.connected()
    ws.feed(b"")
    assert ws.state == "open" and ws.next_event() is None


def test_fragments_make_one_message():
    ws = peer.connected()
    ws.feed(peer.frame(peer.TEXT, "[2,", final=False) + peer.frame(peer.CONTINUATION, "", final=False))
    assert ws.next_event() is None
    ws.feed(peer.frame(peer.CONTINUATION, '"7"', final=False) + peer.frame(peer.CONTINUATION, "]"))
    assert peer.events(ws) == [("text", '[2,"7"]')]


def test_fragmented_message_leaves_nothing_for_the_next():
    ws = peer.connected()
    ws.feed(peer.frame(peer.TEXT, "long beginning", final=False) + peer.frame(peer.CONTINUATION, "!"))
    ws.feed(peer.frame(peer.TEXT, "") + peer.frame(peer.TEXT, "x"))
    assert peer.events(ws) == [("text", "long beginning!"), ("text", ""), ("text", "x")]


def test_control_frames_between_fragments():
    ws = peer.connected()
    ws.feed(peer.frame(peer.TEXT, "a", final=False) + peer.frame(peer.PING, "now"))
    assert peer.sent(ws) == [(peer.PONG, b"now")]
    ws.feed(peer.frame(peer.PONG, "mine") + peer.frame(peer.CONTINUATION, "b"))
    assert peer.events(ws) == [("pong", b"mine"), ("text", "ab")]


def test_buffer_given_by_the_caller_is_used_for_one_connection_after_the_other():
    buffer = bytearray(64)
    for text in ("first", "second"):
        ws = peer.connected(limit=64, buffer=buffer)
        ws.feed(peer.frame(peer.TEXT, text))
        assert peer.events(ws) == [("text", text)]
        assert bytes(buffer[:len(text)]) == text.encode()


def test_binary_message_is_refused_at_its_header():
    ws = peer.connected()
    ws.feed(peer.frame(peer.BINARY, b"\x00" * 50)[:2])
    assert peer.failed_with(ws, 1003)


def test_binary_message_when_wanted():
    ws = peer.connected(binary=True)
    ws.feed(peer.frame(peer.BINARY, b"\xff\x00", final=False) + peer.frame(peer.CONTINUATION, b"\xc0"))
    assert peer.events(ws) == [("binary", b"\xff\x00\xc0")]


# -- the message limit -------------------------------------------------------------------------------------------------

def test_message_of_just_the_limit_is_delivered():
    ws = peer.connected(limit=1000)
    ws.feed(peer.frame(peer.TEXT, b"a" * 1000))
    assert peer.events(ws) == [("text", "a" * 1000)]


def test_message_beyond_the_limit_is_skipped_and_reported_and_the_connection_goes_on():
    ws = peer.connected(limit=1000)
    ws.feed(peer.frame(peer.TEXT, b"<" + b"a" * 1000) + peer.frame(peer.TEXT, "next"))
    assert peer.events(ws) == [("oversize", b"<" + b"a" * 511, 1001), ("text", "next")]
    assert ws.state == "open" and not ws.take()


def test_fragmented_message_beyond_the_limit():
    ws = peer.connected(limit=600)
    ws.feed(peer.frame(peer.TEXT, b"1" * 500, final=False) + peer.frame(peer.CONTINUATION, b"2" * 500, final=False))
    ws.feed(peer.frame(peer.PING, "alive") + peer.frame(peer.CONTINUATION, b"3" * 500))
    assert peer.events(ws) == [("oversize", b"1" * 500 + b"2" * 12, 1500)]
    assert peer.sent(ws) == [(peer.PONG, b"alive")]


def test_oversize_message_takes_no_memory():
    ws = peer.connected(limit=600)
    size = 1 << 24
    ws.feed(peer.header(peer.TEXT, size))
    piece = b"a" * 32768
    for _ in range(size // len(piece)):
        ws.feed(piece)
    ws.feed(peer.frame(peer.TEXT, "still here"))
    assert peer.events(ws) == [("oversize", b"a" * 512, size), ("text", "still here")]


def test_oversize_text_must_be_utf8_all_the_same():
    ws = peer.connected(limit=600)
    ws.feed(peer.frame(peer.TEXT, b"a" * 700 + b"\xff"))
    assert peer.failed_with(ws, 1007)


def test_oversize_text_that_ends_inside_a_character():
    ws = peer.connected(limit=600)
    ws.feed(peer.frame(peer.TEXT, b"a" * 700 + b"\xe2\x82"))
    assert peer.failed_with(ws, 1007)


def test_head_of_an_oversize_message_may_end_inside_a_character():
    ws = peer.connected(limit=600)
    ws.feed(peer.frame(peer.TEXT, b"a" * 511 + "€".encode() * 40))
    assert peer.events(ws) == [("oversize", b"a" * 511 + b"\xe2", 631)]


def test_length_that_cannot_be_skipped_in_time():
    for size in ((1 << 24) + 1, 1 << 32, (1 << 63) - 1):
        ws = peer.connected()
        ws.feed(peer.header(peer.TEXT, size))
        assert peer.failed_with(ws, 1009), size


def test_fragments_that_together_cannot_be_skipped_in_time():
    ws = peer.connected(limit=600)
    size = (1 << 24) - 10
    ws.feed(peer.frame(peer.TEXT, b"a" * 11, final=False) + peer.header(peer.CONTINUATION, size))
    assert peer.failed_with(ws, 1009)


# -- breaches of the protocol ------------------------------------------------------------------------------------------

def breaks_the_protocol(data, before=b""):
    ws = peer.connected()
    ws.feed(before)
    ws.feed(data)
    return peer.failed_with(ws, 1002)


def test_reserved_bits():
    for bits in range(1, 8):
        for opcode in (peer.TEXT, peer.PING, peer.CLOSE):
            assert breaks_the_protocol(peer.frame(opcode, b"", reserved=bits)), (bits, opcode)


def test_reserved_opcodes():
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        assert breaks_the_protocol(peer.frame(opcode)), opcode


def test_masked_frame_from_the_server():
    assert breaks_the_protocol(peer.frame(peer.TEXT, "hidden", masked=True))
    assert breaks_the_protocol(peer.frame(peer.PING, masked=True))


def test_fragmented_control_frame():
    for opcode in (peer.CLOSE, peer.PING, peer.PONG):
        assert breaks_the_protocol(peer.frame(opcode, final=False)), opcode


def test_control_frame_longer_than_125_bytes():
    for opcode in (peer.CLOSE, peer.PING, peer.PONG):
        for length_bytes in (2, 8):
            assert breaks_the_protocol(peer.frame(opcode, b"x" * 126, length_bytes=length_bytes))


def test_continuation_of_nothing():
    for final in (True, False):
        assert breaks_the_protocol(peer.frame(peer.CONTINUATION, "x", final))


def test_continuation_after_a_finished_message():
    ws = peer.connected()
    ws.feed(peer.frame(peer.TEXT, "a", final=False) + peer.frame(peer.CONTINUATION, "b"))
    assert peer.events(ws) == [("text", "ab")]
    ws.feed(peer.frame(peer.CONTINUATION, "c"))
    assert peer.failed_with(ws, 1002)


def test_new_message_within_a_fragmented_one():
    start = peer.frame(peer.TEXT, "a", final=False)
    assert breaks_the_protocol(peer.frame(peer.TEXT, "b"), start)
    assert breaks_the_protocol(peer.frame(peer.BINARY, "b"), start)


def test_length_not_in_its_shortest_form():
    for size, length_bytes in ((0, 2), (125, 2), (0, 8), (125, 8), (126, 8), (65535, 8)):
        assert breaks_the_protocol(peer.frame(peer.TEXT, b"a" * size, length_bytes=length_bytes)), (size, length_bytes)


def test_length_with_its_highest_bit_set():
    for size in (1 << 63, (1 << 64) - 1):
        assert breaks_the_protocol(peer.header(peer.TEXT, size)), size


def test_breach_is_seen_in_the_first_two_bytes_of_a_frame():
    for data in (b"\xc1\x00", b"\x83\x7f", b"\x81\xff", b"\x89\x7e", b"\x08\x7f", b"\x80\x7f"):
        assert breaks_the_protocol(data), data


def test_nothing_is_heard_after_a_breach():
    ws = peer.connected()
    ws.feed(peer.frame(3) + peer.frame(peer.TEXT, "x") + peer.frame(peer.PING) + peer.closing(1000))
    assert peer.failed_with(ws, 1002)
    ws.feed(peer.frame(peer.TEXT, "y") + peer.frame(peer.PING) + peer.closing(1000))
    ws.feed_eof()
    assert ws.next_event() is None and not ws.take()


def test_messages_before_a_breach_are_delivered():
    ws = peer.connected()
    ws.feed(peer.frame(peer.TEXT, "good") + peer.frame(3))
    assert ws.next_event() == ("text", "good")
    assert peer.failed_with(ws, 1002)


# -- sending -----------------------------------------------------------------------------------------------------------

def test_text_sent_at_every_boundary_of_the_length_encodings():
    ws = peer.connected()
    for size in (0, 1, 2, 3, 4, 5, 125, 126, 127, 255, 256, 257, 65535, 65536):
        assert ws.send_text("b" * size)
        assert peer.sent(ws) == [(peer.TEXT, b"b" * size)], size


def test_text_is_sent_as_utf8():
    ws = peer.connected()
    ws.send_text("5 kΩ €")
    ws.send_text("5 kΩ €".encode())
    assert peer.sent(ws) == [(peer.TEXT, "5 kΩ €".encode())] * 2


def test_every_byte_is_masked_with_its_own_byte_of_the_key():
    out = bytearray(b"before")
    payload = bytes([index & 0xFF for index in range(1023)])
    websocket.append_frame(out, peer.BINARY, payload, b"\x01\x20\x03\xff")
    assert out[:10] == b"before\x82\xfe\x03\xff" and out[10:14] == b"\x01\x20\x03\xff"
    assert bytes([byte ^ b"\x01\x20\x03\xff"[index & 3] for index, byte in enumerate(out[14:])]) == payload


def test_each_frame_has_its_own_mask():
    ws = peer.connected()
    masks = []
    for _ in range(3):
        ws.send_text("same")
        masks.append(bytes(ws.take()[2:6]))
    assert len(set(masks)) == 3


def test_take_gives_everything_in_order_and_once():
    ws = peer.connected()
    ws.send_text("a")
    ws.send(peer.PING, b"b")
    ws.send_text("c")
    assert peer.sent(ws) == [(peer.TEXT, b"a"), (peer.PING, b"b"), (peer.TEXT, b"c")]
    assert not ws.take()


def test_pings_are_answered_in_order_with_their_payload():
    ws = peer.connected()
    pings = [b"", b"\x00\xff\xfe", b"x" * 125, b"last"]
    ws.feed(b"".join([peer.frame(peer.PING, payload) for payload in pings]))
    assert peer.sent(ws) == [(peer.PONG, payload) for payload in pings]
    assert ws.next_event() is None


def test_own_ping_and_its_answer():
    ws = peer.connected()
    assert ws.ping()
    assert peer.sent(ws) == [(peer.PING, b"")]
    ws.feed(peer.frame(peer.PONG, b""))
    assert peer.events(ws) == [("pong", b"")]


class FullHeap(bytearray):
    """A buffer that cannot grow."""

    def extend(self, data):
        raise MemoryError


def test_message_that_memory_has_no_room_for_is_oversize_and_the_next_one_is_read():
    ws = peer.connected(limit=8192, buffer=FullHeap(64))
    ws.feed(peer.frame(1, b"a" * 65))
    assert ws.next_event() == ("oversize", b"a" * 64, 65)
    ws.feed(peer.frame(1, b"b" * 64))
    assert ws.next_event() == ("text", "b" * 64)


def test_buffer_grows_to_the_largest_message_and_no_further_than_the_limit():
    buffer = bytearray(16)
    ws = peer.connected(limit=100, buffer=buffer)
    ws.feed(peer.frame(1, b"a" * 60) + peer.frame(1, b"b" * 500) + peer.frame(1, b"c" * 10))
    assert [ws.next_event()[0] for _ in range(3)] == ["text", "oversize", "text"]
    assert len(buffer) == 100
