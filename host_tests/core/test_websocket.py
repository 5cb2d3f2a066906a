"""The opening handshake: what the client asks for, and everything it must not take for a yes."""

import websocket_peer as peer

ACCEPT_LINE = "Sec-WebSocket-Accept: {accept}\r\n"
PROTOCOL_LINE = "Sec-WebSocket-Protocol: ocpp2.0.1\r\n"


def refusal(head):
    """Return (event, client) after the server answered the request with `head`."""
    ws = peer.client()
    answer = peer.response(ws, head)
    ws.feed(answer)
    found = peer.events(ws)
    assert len(found) == 1 and found[0][0] == "refused", found
    assert ws.state == "closed"
    return found[0], ws


def silently_refused_because_of(header, head):
    (_, status, why), ws = refusal(head)
    return status == 101 and why == "wrong or missing header " + header.lower() and not ws.take()


def test_request_asks_for_the_websocket_with_the_subprotocol():
    line, headers = peer.request_headers(peer.client())
    assert line == "GET /ocpp/CS%201 HTTP/1.1"
    assert headers.pop("sec-websocket-key")
    assert headers == {"host": "csms.example:9000", "upgrade": "websocket", "connection": "Upgrade",
                       "sec-websocket-version": "13", "sec-websocket-protocol": "ocpp2.0.1"}


def test_request_carries_the_authorization_when_there_is_one():
    headers = peer.request_headers(peer.client(authorization="Basic Q1M6c2VjcmV0"))[1]
    assert headers["authorization"] == "Basic Q1M6c2VjcmV0"


def test_key_and_accept_are_those_of_the_rfc_example():
    ws = peer.client(urandom=lambda size: b"the sample nonce"[:size])
    assert peer.request_headers(ws)[1]["sec-websocket-key"] == "dGhlIHNhbXBsZSBub25jZQ=="
    ws.feed(peer.HEAD.replace("{accept}", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=").encode())
    assert peer.events(ws) == [("open",)]


def test_right_answer_opens():
    ws = peer.client()
    answer = peer.response(ws)
    assert ws.state == "connecting" and ws.next_event() is None
    ws.feed(answer)
    assert ws.state == "open" and peer.events(ws) == [("open",)] and not ws.take()


def test_answer_may_come_byte_by_byte():
    ws = peer.client()
    for byte in peer.response(ws):
        assert ws.state == "connecting"
        ws.feed(bytes([byte]))
    assert peer.events(ws) == [("open",)]


def test_message_in_the_same_read_as_the_answer():
    ws = peer.client()
    ws.feed(peer.response(ws) + peer.frame(peer.TEXT, "first") + peer.frame(peer.TEXT, "second"))
    assert peer.events(ws) == [("open",), ("text", "first"), ("text", "second")]


def test_header_names_and_tokens_are_compared_without_case():
    ws = peer.client()
    ws.feed(peer.response(ws, "HTTP/1.1 101 ok\r\nUPGRADE: WebSocket\r\ncOnNeCtIoN:  keep-alive ,  UPGRADE  \r\n"
                              "SEC-WEBSOCKET-ACCEPT:{accept}\r\nsec-websocket-protocol:\tocpp2.0.1\t\r\n\r\n"))
    assert peer.events(ws) == [("open",)]


def test_status_line_without_a_reason_phrase():
    for line in ("HTTP/1.1 101", "HTTP/1.1 101 "):
        ws = peer.client()
        ws.feed(peer.response(ws, peer.HEAD.replace("HTTP/1.1 101 Switching Protocols", line)))
        assert peer.events(ws) == [("open",)]


def test_headers_without_meaning_here_are_skipped():
    ws = peer.client()
    ws.feed(peer.response(ws, peer.HEAD.replace("\r\n\r\n", "\r\nServer: x:y\r\nSet-Cookie: a=1\r\nX-Empty:\r\n\r\n")))
    assert peer.events(ws) == [("open",)]


def test_interim_answers_are_waited_through():
    ws = peer.client()
    answer = peer.response(ws)
    ws.feed(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answer)
    assert peer.events(ws) == [("open",)]


def test_http_failures_are_reported_with_their_status():
    for status, phrase in ((401, "Unauthorized"), (403, "Forbidden"), (404, "Not Found"), (426, "Upgrade Required"),
                           (500, "Internal Server Error"), (503, "Service Unavailable"), (200, "OK")):
        event, ws = refusal("HTTP/1.1 %d %s\r\nContent-Length: 5\r\n\r\nsorry" % (status, phrase))
        assert event == ("refused", status, "%d %s" % (status, phrase))
        assert not ws.take()


def test_redirect_is_reported_with_its_location():
    for status in (301, 302, 307, 308):
        event = refusal("HTTP/1.1 %d Moved\r\nlocation: wss://other.example/ocpp\r\n\r\n" % status)[0]
        assert event == ("refused", status, "%d Moved, Location: wss://other.example/ocpp" % status)


def test_garbage_is_refused_at_its_first_wrong_byte():
    for answer in (b"SSH-2.0-OpenSSH_9.2\r\n", b"\x15\x03\x01\x00\x02", b"\r\n", b"HTTP/2 101 Hm\r\n", b"HTTPS", b"X"):
        ws = peer.client()
        ws.feed(answer)
        event = ws.next_event()
        assert event[:2] == ("refused", 0) and event[2].startswith("not HTTP: "), event


def test_start_of_http_is_not_garbage_yet():
    ws = peer.client()
    for byte in b"HTTP/1.1":
        ws.feed(bytes([byte]))
        assert ws.state == "connecting"


def test_malformed_status_lines_are_refused():
    for line in ("HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 1o1 x", "HTTP/1.1  101 x", "HTTP/1.1 1010", "HTTP/1.1 -10 x",
                 "HTTP/1.1101 x"):
        event = refusal(line + "\r\n\r\n")[0]
        assert event[:2] == ("refused", 0) and event[2] == "not HTTP: " + line, (line, event)


def test_malformed_headers_are_refused():
    for line in ("no colon", ": no name", "Space-Before : colon", " folded: line"):
        event = refusal(peer.HEAD.replace("\r\n\r\n", "\r\n" + line + "\r\n\r\n"))[0]
        assert event[:2] == ("refused", 0) and event[2] == "not HTTP: " + line, event


def test_head_that_never_ends_is_refused_at_two_kilobytes():
    ws = peer.client()
    start = b"HTTP/1.1 101 x\r\nX: "
    ws.feed(start + b"a" * (2047 - len(start)))
    assert ws.state == "connecting"
    ws.feed(b"a")
    assert ws.next_event() == ("refused", 0, "HTTP head too long")


def test_head_of_just_two_kilobytes_is_taken():
    ws = peer.client()
    answer = peer.response(ws)
    padding = 2048 - len(answer) - len("\r\nX: ")
    answer = answer[:-4] + b"\r\nX: " + b"a" * padding + b"\r\n\r\n"
    assert len(answer) == 2048
    ws.feed(answer + peer.frame(peer.TEXT, "x" * 3000))
    assert peer.events(ws) == [("open",), ("text", "x" * 3000)]


def test_body_of_a_failure_does_not_count_as_head():
    assert refusal("HTTP/1.1 404 Not Found\r\n\r\n" + "x" * 5000)[0][1] == 404


def test_control_characters_of_a_stranger_do_not_reach_the_log():
    event = refusal("HTTP/1.1 404 No\x1b[31m\x07t\r\n\r\n")[0]
    assert event == ("refused", 404, "404 No?[31m?t")


def test_upgrade_header_missing_or_other():
    for value in ("", "Upgrade: h2c\r\n", "Upgrade: websocket, h2c\r\n"):
        assert silently_refused_because_of("Upgrade", peer.HEAD.replace("Upgrade: websocket\r\n", value))


def test_connection_header_missing_or_other():
    for value in ("", "Connection: close\r\n", "Connection: Upgraded\r\n"):
        assert silently_refused_because_of("Connection", peer.HEAD.replace("Connection: Upgrade\r\n", value))


def test_accept_missing_wrong_or_said_twice():
    for value in ("", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", ACCEPT_LINE.lower() + ACCEPT_LINE,
                  "Sec-WebSocket-Accept: \r\n"):
        assert silently_refused_because_of("Sec-WebSocket-Accept", peer.HEAD.replace(ACCEPT_LINE, value))


def test_extension_nobody_asked_for():
    head = peer.HEAD.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
    assert silently_refused_because_of("Sec-WebSocket-Extensions", head)


def test_subprotocol_missing_or_other_is_refused_politely():
    for value, got in (("", ""), ("Sec-WebSocket-Protocol: ocpp1.6\r\n", "ocpp1.6"),
                       ("Sec-WebSocket-Protocol: OCPP2.0.1\r\n", "OCPP2.0.1"),
                       ("Sec-WebSocket-Protocol: ocpp2.0.1, ocpp1.6\r\n", "ocpp2.0.1, ocpp1.6"),
                       (PROTOCOL_LINE + PROTOCOL_LINE, "ocpp2.0.1, ocpp2.0.1")):
        event, ws = refusal(peer.HEAD.replace(PROTOCOL_LINE, value))
        why = "subprotocol ocpp2.0.1 not agreed, got '%s'" % got
        assert event == ("refused", 101, why)
        assert peer.sent(ws) == [(peer.CLOSE, b"\x03\xea" + why.encode())]


def test_refusal_for_an_endless_subprotocol_still_fits_into_a_close_frame():
    event, ws = refusal(peer.HEAD.replace("ocpp2.0.1", "x" * 1500))
    assert event[:2] == ("refused", 101)
    assert len(peer.sent(ws)[0][1]) <= 125


def test_connection_lost_before_the_answer():
    ws = peer.client()
    ws.feed_eof()
    assert peer.events(ws) == [("refused", 0, "no answer: ")]


def test_connection_lost_within_the_answer_shows_its_beginning():
    ws = peer.client()
    ws.feed(b"HTTP/1.1 400 Bad\r\n")
    ws.feed_eof()
    assert peer.events(ws) == [("refused", 0, "no answer: HTTP/1.1 400 Bad??")]


def test_nothing_is_heard_after_a_refusal():
    ws = refusal("HTTP/1.1 404 Not Found\r\n\r\n")[1]
    ws.feed(peer.response(peer.client()))
    ws.feed_eof()
    ws.close("")
    assert ws.next_event() is None and ws.state == "closed" and not ws.take()


def test_close_while_the_refusal_is_not_read_yet_does_not_make_two_of_it():
    ws = peer.client()
    ws.feed(b"HTTP/1.1 404 Not Found\r\n\r\n")
    ws.close("")
    assert peer.events(ws) == [("refused", 404, "404 Not Found")]


def test_nothing_can_be_sent_before_the_answer():
    ws = peer.client()
    ws.take()
    assert not ws.send_text("too early") and not ws.ping() and not ws.take()


def test_giving_up_before_the_answer():
    ws = peer.client()
    ws.take()
    ws.close("")
    assert peer.events(ws) == [("refused", 0, "given up")]
    assert ws.state == "closed" and not ws.take()


def test_each_connection_has_its_own_key():
    urandom, given = peer.counting()
    keys = [peer.request_headers(peer.client(urandom=urandom))[1]["sec-websocket-key"]
            for _ in range(3)]
    assert len(set(keys)) == 3
    assert [len(nonce) for nonce in given] == [16, 16, 16]
