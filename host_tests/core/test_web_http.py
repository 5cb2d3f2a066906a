"""HTTP as far as the installer's page needs it, and its name server: bytes in, bytes out."""

from holdfast.web.dns import answer
from holdfast.web.http import Request, response

HEAD, BODY = 2048, 6144  # bytes at most
HERE = b"\xc0\xa8\x04\x01"


def request(*pieces):
    found = Request()
    for piece in pieces:
        found.feed(piece)
    return found


def test_a_request_in_one_piece():
    found = request(b"POST /config?x=1 HTTP/1.1\r\nHost: page\r\nX-TOKEN:  abc \r\nContent-Length: 4\r\n\r\nbody")
    assert (found.status, found.method, found.path, found.body) == (200, "POST", "/config?x=1", b"body")
    assert found.headers["host"] == "page" and found.headers["x-token"] == "abc"


def test_a_request_byte_by_byte():
    found = Request()
    data = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok"
    for at in range(len(data)):
        assert found.status == 0
        found.feed(data[at:at + 1])
    assert found.status == 200 and found.body == b"ok"


def test_what_comes_after_the_request_is_dropped():
    assert request(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nokGET /").body == b"ok"


def test_headers_nobody_asks_for_are_not_kept():
    assert sorted(request(b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: x\r\n\r\n").headers) == ["host"]


def test_a_head_without_end_is_refused_when_it_is_too_long():
    found = request(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
    for _ in range(HEAD // 64):
        found.feed(bytes([97]) * 64)
    assert found.status == 431


def test_a_head_of_the_longest_length_is_taken():
    start = b"GET / HTTP/1.1\r\nHost: a\r\nX: "
    assert request(start + bytes([97]) * (HEAD - len(start)) + b"\r\n\r\n").status == 200
    assert request(start + bytes([97]) * (HEAD - len(start) + 1) + b"\r\n\r\n").status == 431


def test_a_body_that_is_too_long_is_refused_before_it_comes():
    head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %s\r\n\r\n"
    assert request((head % BODY).encode()).status == 0
    assert request((head % (BODY + 1)).encode()).status == 413
    assert request((head % ("9" * 100)).encode()).status == 413


def test_memory_is_bounded_whatever_comes():
    found = Request()
    for _ in range(100):
        found.feed(bytes(512))
    assert found.status == 431 and len(found.body) <= HEAD + 515


def test_heads_that_are_no_http_are_refused():
    for head in (b"", b"GET /", b"GET / HTTP/2\r\nHost: a", b"GET http://a/ HTTP/1.1\r\nHost: a",
                 b"GET  / HTTP/1.1\r\nHost: a",
                 b"\xff / HTTP/1.1\r\nHost: a", b"GET / HTTP/1.1", b"GET / HTTP/1.1\r\nHost: a\r\n folded",
                 b"GET / HTTP/1.1\r\nHost: a\r\nX: \xc3(", b"GET / HTTP/1.1\r\nHost\t: a",
                 b"GET / HTTP/1.1\r\nHost : a", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b", b"GET / HTTP/1.1\r\n: a",
                 b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2",
                 b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1x",
                 b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length:"):
        assert request(head + b"\r\n\r\n").status == 400, head


def test_chunks_are_refused():
    assert request(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").status == 411


def test_an_end_in_the_middle_is_no_request():
    assert request(b"GET / HT", b"").status == 400
    assert request(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\no", b"").status == 400


def test_a_response_says_how_long_it_is_and_that_nothing_follows():
    head, _, body = response(200, b"text", extra="X: y\r\n").partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0].startswith("HTTP/1.1 200 ") and body == b"text"
    for wanted in ("Content-Length: 4", "Connection: close", "X: y", "Cache-Control: no-store",
                   "X-Content-Type-Options: nosniff", "Content-Type: text/plain; charset=utf-8"):
        assert wanted in lines


# --- names


def query(name, kind=1, flags=1, count=1):
    labels = b"".join([bytes([len(part)]) + part.encode() for part in name.split(".")])
    return b"\x12\x34" + bytes([flags, 0, 0, count, 0, 0, 0, 0, 0, 0]) + labels + b"\0\0" + bytes([kind]) + b"\0\1"


def test_every_name_has_the_address_of_the_board():
    asked = query("captive.apple.com")
    found = answer(asked, HERE)
    assert found[:2] == b"\x12\x34" and found[2] & 0x80 and found[4:8] == b"\0\1\0\1"
    assert found[12:len(asked)] == asked[12:] and found[len(asked):len(asked) + 2] == b"\xc0\x0c"
    assert found[len(found) - 10:] == b"\0\0\0\5\0\4" + HERE  # for 5 s: the phone will be elsewhere soon


def test_other_types_have_no_record_and_no_error():
    asked = query("captive.apple.com", kind=28)
    found = answer(asked, HERE)
    assert found[4:8] == b"\0\1\0\0" and found[3] & 15 == 0 and len(found) == len(asked)


def test_additional_records_of_the_query_are_left_out():
    asked = query("a.b")
    assert answer(asked + b"\0\0\x29\x10\0\0\0\0\0\0\0", HERE) == answer(asked, HERE)


def test_what_is_no_query_is_not_answered():
    asked = query("a.b")
    for wrong in (b"", asked[:12], asked[:15], asked[:len(asked) - 1], query("a.b", flags=0x81),
                  query("a.b", flags=0x11), query("a.b", count=2),
                  asked[:12] + b"\xc0\x0c" + asked[12:], asked[:12] + b"\x3f" + asked[13:]):
        assert answer(wrong, HERE) is None, wrong
