"""Commands about the chip, and frames on the console: secrets masked, and everything else as it was."""

from holdfast import board
from holdfast.commands import Commands, redacted


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


def test_other_secrets_of_ocpp_are_not_shown_either():
    for frame, secret in (
            ('[2,"1","SetNetworkProfile",{"connectionData":{"vpn":{"server":"v.example","password":"pass-1","key":'
             '"shared-2"},"apn":{"simPin":4711,"apnPassword":"pass-3"}}}]', ("pass-1", "shared-2", "4711", "pass-3")),
            ('[2,"1","GetLog",{"log":{"remoteLocation":"ftp://user:pass-4@host/x"}}]', ("pass-4",)),
            ('[2,"1","CustomerInformation",{"customerIdentifier":"Jane Doe"}]', ("Jane",)),
            ('[3,"1",{"idTokenInfo":{"groupIdToken":{"idToken":"GROUP-TOKEN","type":"Central"}}}]', ("GROUP-TOKEN",))):
        shown = redacted(frame)
        for word in secret:
            assert word not in shown, shown
    assert "v.example" in redacted('[2,"1","X",{"vpn":{"server":"v.example"}}]')


def test_a_password_is_hidden_altogether():
    assert "***" in redacted('[2,"1","X",{"password":"correct-horse"}]')
    assert "co***e" not in redacted('[2,"1","X",{"password":"correct-horse"}]')


def test_a_frame_that_is_too_deep_to_look_at_disturbs_nobody():
    for depth in (100, 300, 1000):  # what is too deep for whom differs
        assert len(redacted('[2,"1","X",' + "[" * depth + "]" * depth + "]")) < 1600
    assert redacted("[" * 5000 + "]" * 5000) == "10000 characters, too much to show"


def test_what_is_no_json_is_not_shown():
    assert redacted("ABCDEF123456{") == "13 characters that are no JSON"


def test_a_long_frame_is_cut():
    assert len(redacted('["%s"]' % ("x" * 5000))) < 1600


class FakeAgent:
    """What `memory` and `flash` look at."""

    root = "/"
    config_error = hardware = link = None
    safe = False

    class station:
        class records:
            changes = {"reservation": 400, "restart": 2}


    def memory(self):
        return 1000, 2000


class FakeConsole:
    agent = FakeAgent()


def lines_of(name, now=0):
    lines = Commands(FakeConsole).execute(name, now)
    assert lines.pop() == "ok"
    return lines


def test_memory_adds_up_the_heaps_of_esp_idf():
    heaps = board.heaps
    # docs.micropython.org/en/latest/library/esp32.html#esp32.idf_heap_info, its example
    board.heaps = lambda: [(240, 0, 0, 0), (7288, 0, 0, 0), (16648, 4, 4, 4), (79912, 35712, 35512, 35108),
                           (15072, 15036, 15036, 15036), (113840, 0, 0, 0)]
    try:
        assert lines_of("memory") == ["heap used: 1000", "heap free: 2000", "IDF heap free: 50752",
                                      "IDF heap largest block: 35512", "IDF heap least free: 50148"]
    finally:
        board.heaps = heaps


def test_flash_tells_what_was_counted_and_estimates_from_nothing_else():
    early, later = lines_of("flash", 60_000), lines_of("flash", 86_400_000)
    assert "records/reservation*: 400 changes" in early and "records/restart*: 2 changes" in early
    assert early[-1] == "estimate: none, too little was counted"
    assert later[1] == "counted since: the start, 86400 s ago"
    # 402 changes a day, 20 of them for one erase, which littlefs spreads over the free blocks.
    free = int(later[0].split()[2])
    years = free * 100_000 * 20 // 402 // 365.25
    told = int(later[-1].split()[1])
    assert later[-1].startswith("estimate: ") and abs(told - years) <= 1 + years // 1000, (told, years)


def test_flash_estimates_nothing_from_a_handful_of_changes():
    records = FakeAgent.station.records
    changes = records.changes
    try:
        for few in ({}, {"restart": 19}):
            records.changes = few
            assert lines_of("flash", 86_400_000)[-1] == "estimate: none, too little was counted"
    finally:
        records.changes = changes
