"""What a time server's answer must be like to be believed, and what is an address already."""

from holdfast.resolver import is_address, told

NONCE = b"12345678"


def answer(mode=4, leap=0, stratum=2, nonce=NONCE, seconds=0xEDA00000):
    head = bytes((leap << 6 | 4 << 3 | mode, stratum)) + bytes(22)
    return head + nonce + bytes(8) + seconds.to_bytes(4, "big") + bytes(4)


def test_a_right_answer_is_utc_since_1970():
    assert told(answer(seconds=2_208_988_800 + 1_800_000_000), NONCE) == 1_800_000_000


def test_the_count_begins_anew_in_2036():
    # 2036-02-07T06:28:16Z, the first second of the next era.
    assert told(answer(seconds=0), NONCE) == 2_085_978_496
    assert told(answer(seconds=0x7FFFFFFF), NONCE) == 2_085_978_496 + 0x7FFFFFFF


def test_answers_that_are_not_believed():
    for packet in (answer(mode=3), answer(mode=5), answer(leap=3), answer(stratum=0), answer(stratum=16),
                   answer(nonce=b"87654321"), answer()[:47], b"", answer(seconds=3_913_056_000)):
        assert told(packet, NONCE) is None, packet


def test_addresses_are_told_from_names():
    assert is_address("10.0.0.1")
    for name in ("csms.example.com", "localhost", "10.0.0", "a.b.c.d", ""):
        assert not is_address(name), name
