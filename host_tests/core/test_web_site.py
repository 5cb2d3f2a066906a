"""Who may see and change what on the installer's page: password, session, token, origin, limits, configuration."""

from holdfast.web.site import hashed, new_code
from phone import GOOD, HOST, IDLE, PACE, PASSWORD, PENALTY, Phone

# --- who gets in


def test_the_page_itself_is_for_everybody_and_holds_nothing():
    phone = Phone(GOOD, login=False)
    assert phone.ask("/")[:2] == b"\x1f\x8b" and phone.status == 200
    assert "Content-Encoding: gzip" in phone.head


def test_the_browser_runs_the_script_of_the_page_and_nothing_else_and_shows_it_in_no_frame():
    phone = Phone(login=False)
    phone.ask("/")
    policy = phone.head.split("Content-Security-Policy: ")[1].split("\r\n")[0].split("; ")
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert [rule.startswith("script-src 'sha256-") for rule in policy].count(True) == 1 and "unsafe-eval" not in policy


def test_nothing_else_without_a_session():
    phone = Phone(GOOD, login=False)
    for path in ("/config", "/show/status", "/show/log", "/nothing"):
        assert phone.ask(path) == b"" and phone.status == 401, path
    for path in ("/config", "/off"):
        assert phone.ask(path, {}) == b"" and phone.status == 401, path
    assert phone.site.wish is None


def test_the_password_opens_a_session():
    phone = Phone()
    assert phone.ask("/show/status") == b"status: shown"


def test_no_browser_sends_by_itself_what_a_session_is_known_by():
    phone = Phone(login=False)
    phone.login()
    assert "cookie" not in phone.head.lower() and len(phone.token) == 32


def test_a_token_that_is_not_the_one_is_none():
    phone = Phone(GOOD)
    right = phone.token
    for token in ("", "None", right[:-1], right + "0", right.upper() + "x", "0" * 32):
        phone.token = token
        for path, body in (("/config", None), ("/show/log", None), ("/off", {}), ("/config", GOOD)):
            assert phone.ask(path, body) == b"" and phone.status == 401, (token, path)
    assert phone.site.wish is None


def test_wrong_passwords_of_every_kind():
    for wrong in ("", "abcdefghijkM", None, 5, [], {"a": 1}, PASSWORD + " "):
        phone = Phone(login=False)
        assert phone.login(wrong) == 403 and not phone.token, wrong
        assert phone.ask("/config") == b"" and phone.status == 401


def test_a_login_that_is_no_object_is_wrong():
    for wrong in ([], "x", 7):
        phone = Phone(login=False)
        phone.ask("/login", wrong)
        assert phone.status == 403, wrong


def test_a_login_that_is_longer_than_a_password_takes_is_not_looked_at():
    """6,000 brackets would take all of a board's memory, and nobody has said yet who he is."""
    phone = Phone(login=False)
    phone.ask("/login", {"password": PASSWORD, "more": "[" * 100})
    assert phone.status == 403


def test_a_second_login_ends_the_first_session():
    phone = Phone()
    first = phone.token
    phone.login()
    assert phone.token != first
    phone.token = first
    phone.ask("/config")
    assert phone.status == 401


def test_a_session_is_over_when_nobody_uses_it():
    phone = Phone()
    phone.now += IDLE - PACE
    phone.ask("/config")
    assert phone.status == 200
    phone.now += IDLE
    phone.ask("/config")
    assert phone.status == 401


def test_a_session_in_use_goes_on():
    phone = Phone()
    for _ in range(3):
        phone.now += IDLE - PACE
        phone.ask("/show/status")
        assert phone.status == 200


def test_only_who_is_logged_in_keeps_the_page_on():
    phone = Phone()
    used = phone.site.used
    phone.token = ""
    for path in ("/", "/config", "/generate_204"):
        phone.ask(path)
    assert phone.site.used == used


def test_passwords_are_random_and_can_be_typed():
    code = new_code(bytes(range(12)))
    assert len(code) == 12 and not [letter for letter in code if letter in "l1o0" or letter.upper() == letter > "9"]
    assert new_code(bytes(range(1, 13))) != code
    assert len(set("".join([new_code(bytes([octet] * 12)) for octet in range(256)]))) == 32  # 5 bits a letter
    assert PASSWORD.encode() not in hashed(PASSWORD, b"salt" * 4)
    assert hashed(PASSWORD, b"salt" * 4)[16:] != hashed(PASSWORD, b"SALT" * 4)[16:]


# --- limits


def test_each_wrong_password_doubles_the_wait():
    phone = Phone(login=False)
    for wait in (1, 2, 4, 8, 16, 32, 64, 64):
        assert phone.login("wrong") == 403
        phone.now += wait * PENALTY - 2 * PACE
        assert phone.login(PASSWORD) == 429 and "Retry-After: 1\r\n" in phone.head, wait
        phone.now += PACE
    assert phone.login() == 200


def test_the_right_password_ends_the_waiting():
    phone = Phone(login=False)
    phone.login("wrong")
    phone.now += PENALTY
    assert phone.login() == 200
    assert phone.login("wrong") == 403
    phone.now += PENALTY
    assert phone.login() == 200


def test_wrong_passwords_are_in_the_log_without_themselves():
    phone = Phone(login=False)
    phone.login("my-other-password")
    assert phone.edge.lines == ["web page: wrong password, number 1"]


# --- other sites


def test_a_change_wants_the_origin_of_the_page():
    phone = Phone(GOOD)
    for origin in (None, "null", "http://evil.example", "https://" + HOST, "http://%s:8080" % HOST):
        phone.origin = origin
        phone.ask("/off", {})
        assert phone.status == 403 and phone.site.wish is None, origin


def test_a_login_from_another_site_is_refused_and_counts_for_nothing():
    phone = Phone(login=False)
    phone.origin = "http://evil.example"
    assert phone.login() == 403
    phone.origin = "http://" + HOST
    assert phone.login() == 200


def test_a_name_that_was_made_to_point_here_gets_nothing():
    phone = Phone(GOOD)
    for name in ("evil.example", HOST + ".evil.example", "a" + HOST, HOST + "1", "evil.example:" + HOST):
        phone.host = name
        phone.origin = "http://" + name
        for path, body in (("/config", None), ("/config", GOOD), ("/off", {})):
            assert phone.ask(path, body) == b"" and phone.status == 302, name
    assert phone.site.wish is None


def test_phones_that_look_for_the_internet_are_shown_the_page():
    phone = Phone(login=False)
    for host, path in (
            ("connectivitycheck.gstatic.com", "/generate_204"), ("captive.apple.com", "/hotspot-detect.html"),
            ("www.msftconnecttest.com", "/connecttest.txt"), ("detectportal.firefox.com", "/canonical.html"),
            ("www.msftncsi.com", "/ncsi.txt")):
        phone.host = host
        phone.ask(path)
        assert phone.status == 302 and "Location: http://%s/\r\n" % HOST in phone.head, host


def test_methods_that_nobody_needs_change_nothing():
    phone = Phone(GOOD)
    for method in ("PUT", "DELETE", "HEAD", "OPTIONS", "get"):
        phone.ask("/config", method=method)
        assert phone.status == 404, method


# --- what can be seen


def test_only_commands_that_show_something_can_be_asked_for():
    phone = Phone()
    for command in ("status", "reservations", "log", "memory", "flash"):
        assert phone.ask("/show/" + command) == (command + ": shown").encode()
    for command in ("help", "reserve", "cancel", "vars", "connect", "disconnect", "echo", "reboot", "factory-reset",
                    "crash", "tasks", "trace", "web", "resume", "", "status/", "../config", "status%20"):
        phone.ask("/show/" + command)
        assert phone.status == 404, command


def test_secrets_never_come_out():
    config = dict(GOOD)
    config["network"] = {"wifi": {"ssid": "Depot", "password": "wifi-password"}}
    phone = Phone(config)
    shown = phone.ask("/config").decode()
    assert "Depot" in shown and "secret" not in shown and "wifi-password" not in shown


def test_a_configuration_that_is_broken_is_shown_as_far_as_it_can_be():
    for text in ("", "[]", '{"network": 5}', '{"network": {"wifi": null}}'):
        phone = Phone()
        phone.edge.text = text
        phone.ask("/config")
        assert phone.status == 200, text
