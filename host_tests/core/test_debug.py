"""Frames on the console: secrets masked, and everything else as it was."""

from holdfast.debug import redacted


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
