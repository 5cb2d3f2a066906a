"""The situations of the Autobahn TestSuite (fuzzing server against a client), sections 1 to 7 and 10.1, one test each.

Autobahn itself needs Python 2.7. Here a script plays its server on bytes and the client echoes every message, as the
suite wants it; numbers are the suite's. Expected is always the strict outcome, never the suite's "non-strict" one.
"""

import pytest
from core import websocket_peer as peer
from core.websocket_peer import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, closing, frame

HELLO = b"Hello, world!"
KOSME = "κ\u1f79σμε".encode()  # 11 bytes: characters of two, and one of three


# -- how cases are told ------------------------------------------------------------------------------------------------

def in_one_chop(*frames):
    return [b"".join(frames)]


def per_frame(*frames):
    return list(frames)


def chopped(size, *frames):
    data = b"".join(frames)
    return [data[at:at + size] for at in range(0, len(data), size)]


def octet_wise(*frames):
    return chopped(1, *frames)


def fragments(opcode, *payloads):
    """Return the frames of one message, one for each payload."""
    last = len(payloads) - 1
    return [frame(CONTINUATION if index else opcode, payload, index == last) for index, payload in enumerate(payloads)]


def echoes(pieces, *answers):
    """The client sends just `answers`; then the server closes with 1000 and gets a clean close."""
    return pieces, list(answers), "server closes"


def closes(pieces, payload, *answers):
    """The server's pieces hold a close frame; the client sends `answers` and then a close frame with `payload`."""
    return pieces, [*answers, (CLOSE, payload)], "closed"


def fails(pieces, code, *answers, good=0):
    """The client sends `answers`, then fails the connection with `code`; after `good` pieces it was still open."""
    return pieces, list(answers), (code, good)


# -- the cases ---------------------------------------------------------------------------------------------------------

def framing():
    for section, opcode, octet in (("1.1", TEXT, b"*"), ("1.2", BINARY, b"\xfe")):
        for number, size in enumerate((0, 125, 126, 127, 128, 65535, 65536), 1):
            payload = octet * size
            yield f"{section}.{number}", echoes(in_one_chop(frame(opcode, payload)), (opcode, payload))
        yield f"{section}.8", echoes(chopped(997, frame(opcode, octet * 65536)), (opcode, octet * 65536))


def pings():
    for number, payload in enumerate((b"", HELLO, b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"\xfe" * 125), 1):
        yield f"2.{number}", echoes(in_one_chop(frame(PING, payload)), (PONG, payload))
    yield "2.5", fails(in_one_chop(frame(PING, b"\xfe" * 126)), 1002)
    yield "2.6", echoes(octet_wise(frame(PING, b"\xfe" * 125)), (PONG, b"\xfe" * 125))
    yield "2.7", echoes(in_one_chop(frame(PONG)))
    yield "2.8", echoes(in_one_chop(frame(PONG, b"unsolicited")))
    yield "2.9", echoes(in_one_chop(frame(PONG, b"unsolicited"), frame(PING, b"asked")), (PONG, b"asked"))
    ten = [b"payload-%d" % index for index in range(10)]
    for number, cut in (("2.10", in_one_chop), ("2.11", octet_wise)):
        yield number, echoes(cut(*[frame(PING, payload) for payload in ten]), *[(PONG, payload) for payload in ten])


def reserved_bits():
    hello, echo, ping = frame(TEXT, HELLO), (TEXT, HELLO), frame(PING)
    yield "3.1", fails(in_one_chop(frame(TEXT, HELLO, reserved=1)), 1002)
    for number, bits, cut in (("3.2", 2, in_one_chop), ("3.3", 3, per_frame), ("3.4", 4, octet_wise)):
        yield number, fails(cut(hello, frame(TEXT, HELLO, reserved=bits), ping), 1002, echo)
    yield "3.5", fails(in_one_chop(frame(BINARY, b"\x00\xff\xfe\xfd", reserved=5)), 1002)
    yield "3.6", fails(in_one_chop(frame(PING, HELLO, reserved=6)), 1002)
    yield "3.7", fails(in_one_chop(frame(CLOSE, reserved=7)), 1002)


def opcodes():
    for section, first in (("4.1", 3), ("4.2", 11)):
        yield f"{section}.1", fails(in_one_chop(frame(first)), 1002)
        yield f"{section}.2", fails(in_one_chop(frame(first + 1, b"reserved opcode payload")), 1002)
        for number, payload, cut in ((3, b"", in_one_chop), (4, HELLO, in_one_chop), (5, HELLO, octet_wise)):
            pieces = cut(frame(TEXT, HELLO), frame(first + number - 1, payload), frame(PING))
            yield f"{section}.{number}", fails(pieces, 1002, (TEXT, HELLO))


def fragmentation():
    ways = (in_one_chop, per_frame, octet_wise)
    yield "5.1", fails(in_one_chop(*fragments(PING, b"fragment1", b"fragment2")), 1002)
    yield "5.2", fails(in_one_chop(*fragments(PONG, b"fragment1", b"fragment2")), 1002)
    start, end = fragments(TEXT, b"fragment1", b"fragment2")
    whole, ping, pong = (TEXT, b"fragment1fragment2"), frame(PING, b"ping payload"), (PONG, b"ping payload")
    for number, cut in enumerate(ways, 3):
        yield f"5.{number}", echoes(cut(start, end), whole)
    for number, cut in enumerate(ways, 6):
        yield f"5.{number}", echoes(cut(start, ping, end), pong, whole)
    for base, final in ((9, True), (12, False)):
        for number, cut in enumerate(ways, base):
            pieces = cut(frame(CONTINUATION, b"continues nothing", final), frame(TEXT, HELLO))
            yield f"5.{number}", fails(pieces, 1002)
    pieces = in_one_chop(start, end, frame(CONTINUATION, b"fragment3", False), frame(TEXT, HELLO))
    yield "5.15", fails(pieces, 1002, whole)
    for number, final in (("5.16", False), ("5.17", True)):
        yield number, fails(in_one_chop(*[frame(CONTINUATION, b"fragment1", final), start, end] * 2), 1002)
    yield "5.18", fails(in_one_chop(start, frame(TEXT, b"fragment2")), 1002)
    parts = fragments(TEXT, b"one", b"two", b"three", b"four", b"five")
    for number, cut in (("5.19", in_one_chop), ("5.20", per_frame)):
        pieces = cut(*parts[:2], frame(PING, b"1")) + cut(*parts[2:4], frame(PING, b"2"), parts[4])
        yield number, echoes(pieces, (PONG, b"1"), (PONG, b"2"), (TEXT, b"onetwothreefourfive"))


def text():
    yield "6.1.1", echoes(in_one_chop(frame(TEXT)), (TEXT, b""))
    yield "6.1.2", echoes(in_one_chop(*fragments(TEXT, b"", b"", b"")), (TEXT, b""))
    yield "6.1.3", echoes(in_one_chop(*fragments(TEXT, b"", b"middle", b"")), (TEXT, b"middle"))
    mixed = "Hello-µ@ßöäüàá-UTF-8!!".encode()
    yield "6.2.1", echoes(in_one_chop(frame(TEXT, mixed)), (TEXT, mixed))
    yield "6.2.2", echoes(in_one_chop(*fragments(TEXT, mixed[:12], mixed[12:])), (TEXT, mixed))
    yield "6.2.3", echoes(in_one_chop(*fragments(TEXT, *octet_wise(mixed))), (TEXT, mixed))
    yield "6.2.4", echoes(in_one_chop(*fragments(TEXT, *octet_wise(KOSME))), (TEXT, KOSME))
    surrogate = KOSME + b"\xed\xa0\x80" + b"edited"
    yield "6.3.1", fails(in_one_chop(frame(TEXT, surrogate)), 1007)
    yield "6.3.2", fails(in_one_chop(*fragments(TEXT, *octet_wise(surrogate))), 1007)
    # Fail-fast: the second piece makes the text impossible, so the third is never waited for.
    for numbers, parts in ((("6.4.1", "6.4.3"), (KOSME, b"\xf4\x90\x80\x80", b"edited")),
                           (("6.4.2", "6.4.4"), (KOSME + b"\xf4", b"\x90", b"\x80\x80edited"))):
        yield numbers[0], fails(per_frame(*fragments(TEXT, *parts))[:2], 1007, good=1)
        head = frame(TEXT, b"".join(parts))[:2]
        yield numbers[1], fails([head + parts[0], parts[1]], 1007, good=1)
    for section, sequences in enumerate(utf8_classes(), 5):
        for number, (valid, payload) in enumerate(sequences, 1):
            pieces = in_one_chop(frame(TEXT, payload))
            yield f"6.{section}.{number}", echoes(pieces, (TEXT, payload)) if valid else fails(pieces, 1007)


def scheme(point, length):
    """Encode a number of up to 31 bits by UTF-8's bit pattern in `length` bytes, allowed or not."""
    if length == 1:
        return bytes([point])
    tail = [0x80 | point >> 6 * index & 0x3F for index in range(length - 1)]
    return bytes([0xFF00 >> length & 0xFF | point >> 6 * (length - 1), *reversed(tail)])


def utf8_classes():
    """Yield sections 6.5 to 6.23: lists of (valid, bytes), after Markus Kuhn's decoder stress test."""
    largest = {1: 0x7F, 2: 0x7FF, 3: 0xFFFF, 4: 0x1FFFFF, 5: 0x3FFFFFF, 6: 0x7FFFFFFF}  # what fits by bit pattern

    def good(*texts):
        return [(True, text.encode()) for text in texts]

    def bad(*sequences):
        return [(False, sequence) for sequence in sequences]

    yield good("hello$world", "hello¢world", "hello€world", "hello𤭢world", KOSME.decode())
    yield [(end in (2, 5, 7, 9, 11), KOSME[:end]) for end in range(1, len(KOSME) + 1)]
    yield good("\x00", "\x80", "\u0800", "\U00010000")  # first of each length
    yield bad(scheme(0x200000, 5), scheme(0x4000000, 6))
    yield good("\x7f", "\u07ff", "\uffff", "\U0010ffff")  # last of each length
    yield bad(scheme(largest[4], 4), scheme(largest[5], 5), scheme(largest[6], 6))
    yield good("\ud7ff", "\ue000", "\ufffd", "\U0010ffff") + bad(scheme(0x110000, 4))
    yield bad(b"\x80", b"\xbf", *[(b"\x80\xbf" * 3)[:size] for size in range(2, 7)], bytes(range(0x80, 0xBF)))
    yield bad(*[b"".join(bytes([octet]) + b" " for octet in range(first, last)) for first, last in
                ((0xC0, 0xDF), (0xE0, 0xEF), (0xF0, 0xF7), (0xF8, 0xFB), (0xFC, 0xFD))])  # lonely starts
    cut = [scheme(0, length)[:-1] for length in range(2, 7)] + [scheme(largest[n], n)[:-1] for n in range(2, 7)]
    yield bad(*cut)
    yield bad(b"".join(cut))
    yield bad(b"\xfe", b"\xff", b"\xfe\xfe\xff\xff")
    yield bad(*[scheme(ord("/"), length) for length in range(2, 7)])  # overlong
    yield bad(*[scheme(largest[length - 1], length) for length in range(2, 7)])
    yield bad(*[scheme(0, length) for length in range(2, 7)])
    yield bad(*[scheme(point, 3) for point in (0xD800, 0xDB7F, 0xDB80, 0xDBFF, 0xDC00, 0xDF80, 0xDFFF)])
    yield bad(*[scheme(high, 3) + scheme(low, 3)
                for high in (0xD800, 0xDB7F, 0xDB80, 0xDBFF) for low in (0xDC00, 0xDFFF)])
    yield good(*[chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF)])  # noncharacters
    yield good(*[chr(point) for point in range(0xFFF9, 0x10000)])


def close_handling():
    normal, hello = closing(1000), frame(TEXT, HELLO)
    payload = b"\x03\xe8"
    yield "7.1.1", echoes(in_one_chop(hello), (TEXT, HELLO))
    yield "7.1.2", closes(in_one_chop(normal, normal), payload)
    yield "7.1.3", closes(in_one_chop(normal, frame(PING)), payload)
    yield "7.1.4", closes(in_one_chop(normal, hello), payload)
    start, end = fragments(TEXT, b"fragment1", b"fragment2")
    yield "7.1.5", closes(in_one_chop(start, normal, end), payload)
    big = b"BAsd7&jh23" * 26215
    yield "7.1.6", closes(chopped(4096, frame(TEXT, big[:1 << 18]), hello, normal, frame(PING)), payload,
                          (TEXT, big[:1 << 18]), (TEXT, HELLO))
    yield "7.3.1", closes(in_one_chop(closing()), b"")
    yield "7.3.2", fails(in_one_chop(frame(CLOSE, b"a")), 1002)
    yield "7.3.3", closes(in_one_chop(normal), payload)
    yield "7.3.4", closes(in_one_chop(closing(1000, "Hello World!")), payload)
    yield "7.3.5", closes(in_one_chop(closing(1000, "*" * 123)), payload)
    yield "7.3.6", fails(in_one_chop(closing(1000, "*" * 124)), 1002)
    yield "7.5.1", fails(in_one_chop(closing(1000, KOSME + b"\xed\xa0\x80edited")), 1007)
    for number, code in enumerate((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999), 1):
        yield f"7.7.{number}", closes(in_one_chop(closing(code)), code.to_bytes(2, "big"))
    for number, code in enumerate((0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999), 1):
        yield f"7.9.{number}", fails(in_one_chop(closing(code)), 1002)
    for number, code in (("7.13.1", 5000), ("7.13.2", 65535)):
        yield number, fails(in_one_chop(closing(code)), 1002)


def auto_fragmentation():
    payload = b"*" * 65536
    yield "10.1.1", echoes(per_frame(*fragments(TEXT, *chopped(1300, payload))), (TEXT, payload))


CASES = [*framing(), *pings(), *reserved_bits(), *opcodes(), *fragmentation(), *text(), *close_handling(),
         *auto_fragmentation()]


# -- playing a case ----------------------------------------------------------------------------------------------------

def exchange(ws, piece):
    """Feed a piece, echo the messages in it; return (frames the client sent, events that were not messages)."""
    ws.feed(piece)
    rest = []
    while event := ws.next_event():
        if event[0] == "text":
            ws.send_text(event[1])
        elif event[0] == "binary":
            ws.send(BINARY, event[1])
        else:
            rest.append(event)
    return peer.sent(ws), rest


@pytest.mark.parametrize("pieces, answers, ending",
                         [pytest.param(*case, id=f"autobahn-{number}") for number, case in CASES])
def test_case(pieces, answers, ending):
    ws = peer.connected(limit=1 << 18, binary=True)
    frames, rest, states = [], [], []
    for piece in pieces:
        new_frames, new_events = exchange(ws, piece)
        frames += new_frames
        rest += [event for event in new_events if event[0] != "pong"]
        states.append(ws.state)

    if ending == "server closes":
        assert frames == answers and rest == [] and ws.state == "open"
        assert exchange(ws, closing(1000)) == ([(CLOSE, b"\x03\xe8")], [("closed", 1000, "")])
    elif ending == "closed":
        assert frames == answers
        code = int.from_bytes(frames[-1][1] or b"\x03\xed", "big")
        assert [event[:2] for event in rest] == [("closed", code)]
    else:
        code, good = ending
        assert frames[:-1] == answers
        assert frames[-1][0] == CLOSE and int.from_bytes(frames[-1][1][:2], "big") == code
        assert [event[:2] for event in rest] == [("closed", code)]
        assert states[:good] == ["open"] * good
        if good:
            assert len(pieces) == good + 1  # failed by that piece alone

    # Whatever still comes is not heard, and the end of the TCP connection is no second end.
    assert ws.state == "closed"
    assert exchange(ws, frame(PING) + frame(TEXT, HELLO)) == ([], [])
    ws.feed_eof()
    assert ws.next_event() is None


def test_every_number_of_the_ported_sections_is_there():
    counts = {"1.1": 8, "1.2": 8, "2": 11, "3": 7, "4.1": 5, "4.2": 5, "5": 20, "6.1": 3, "6.2": 4, "6.3": 2, "6.4": 4,
              "6.5": 5, "6.6": 11, "6.7": 4, "6.8": 2, "6.9": 4, "6.10": 3, "6.11": 5, "6.12": 8, "6.13": 5, "6.14": 10,
              "6.15": 1, "6.16": 3, "6.17": 5, "6.18": 5, "6.19": 5, "6.20": 7, "6.21": 8, "6.22": 34, "6.23": 7,
              "7.1": 6, "7.3": 6, "7.5": 1, "7.7": 13, "7.9": 9, "7.13": 2, "10.1": 1}
    expected = {f"{section}.{number}" for section, count in counts.items() for number in range(1, count + 1)}
    assert {number for number, _ in CASES} == expected
    assert len(CASES) == len(expected)


def test_the_utf8_sequences_are_what_they_claim():
    for sequences in utf8_classes():
        for valid, payload in sequences:
            try:
                payload.decode()
            except UnicodeDecodeError:
                assert not valid, payload
            else:
                assert valid, payload
