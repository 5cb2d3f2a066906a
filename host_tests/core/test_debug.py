"""Frames on the console: secrets masked, and everything else as it was."""

from holdfast import board
from holdfast.debug import execute, redacted


def test_tokens_and_passwords_are_masked_wherever_they_are():
    frame = ('[2,"1","SetVariables",{"setVariableData":[{"attributeValue":"correct-horse-battery","component":'
             '{"name":"SecurityCtrlr"},"variable":{"name":"BasicAuthPassword"}},{"attributeValue":"300","component":'
             '{"name":"OCPPCommCtrlr"},"variable":{"name":"HeartbeatInterval"}}],"idToken":{"idToken":"ABCDEF123456",'
             '"type":"Central","additionalInfo":[{"additionalIdToken":"SECRET-TOKEN","type":"x"}]}}]')
    shown = redacted(frame)
    for secret in ("correct-horse-battery", "ABCDEF123456", "SECRET-TOKEN"):
        assert secret not in shown
    for kept in ("SetVariables", "BasicAuthPassword", '"300"', "Central", "AB***6"):
        assert kept in shown, shown


def test_what_is_no_json_is_not_shown():
    assert redacted("ABCDEF123456{") == "13 characters that are no JSON"


def test_a_long_frame_is_cut():
    assert len(redacted('["%s"]' % ("x" * 5000))) < 1600


class FakeAgent:
    """What `memory` and `flash` look at."""

    root = "/"
    config_error = None

    class station:
        class records:
            changes = {"reservation": 400, "restart": 2}


def lines_of(name, now=0):
    return execute(FakeAgent, now, name, ())


def test_memory_adds_up_the_heaps_of_esp_idf():
    heaps = board.heaps
    # docs.micropython.org/en/latest/library/esp32.html#esp32.idf_heap_info, its example
    board.heaps = lambda: [(240, 0, 0, 0), (7288, 0, 0, 0), (16648, 4, 4, 4), (79912, 35712, 35512, 35108),
                           (15072, 15036, 15036, 15036), (113840, 0, 0, 0)]
    try:
        assert lines_of("memory") == ["IDF heap free: 50752", "IDF heap largest block: 35512",
                                      "IDF heap least free: 50148"]
    finally:
        board.heaps = heaps


def test_flash_tells_what_was_counted_and_estimates_from_nothing_else():
    early, later = lines_of("flash", 60_000), lines_of("flash", 86_400_000)
    assert "changes of reservation records: 400" in early and "changes of restart records: 2" in early
    assert early[-1] == "estimate: none, too little was counted"
    assert later[1] == "counted since: the start, 86400 s ago" and later[-1].startswith("estimate: ")
