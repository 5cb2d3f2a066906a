"""A name server that knows one address: whatever a phone asks for, it finds the page (captive portal)."""


def answer(query, address):
    """The answer to a DNS query (RFC 1035, section 4): `address`, 4 bytes, for every name; None for what is none.

    Other types than A get no record, but no error either: a phone that asks for AAAA first goes on to A.
    """
    # A standard query with one question; nothing else counts.
    if len(query) < 17 or query[2] & 0xF8 or query[4:6] != b"\0\1":
        return None
    at = 12
    while at < len(query) and 0 < query[at] < 64:  # more would be a pointer, which has no place in a question
        at += query[at] + 1
    end = at + 5
    if end > len(query) or query[at]:
        return None
    known = query[at + 1:end] == b"\0\1\0\1"  # A, IN
    # The record's name is that of the question, at offset 12. It holds for 5 s: the phone will be elsewhere soon.
    return (query[:2] + b"\x85\x80\0\1\0" + bytes([known]) + bytes(4) + query[12:end]
            + (b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4" + address if known else b""))
