"""OCPP-J without a station: CALLs, answers, timeouts, and ids."""

import json

from fakes import Urandom
from holdfast import rpc


class Peer:
    """An Rpc with a scripted answer: `reply` is returned, or raised if it is an exception."""

    def __init__(self, reply=None, urandom=None):
        self.lines = []
        self.asked = []
        self.results = []
        self.reply = {} if reply is None else reply
        self.rpc = rpc.Rpc(urandom or Urandom(), self.answer, self.on_result, self.log)

    def log(self, level, text):
        self.lines.append(text)

    def answer(self, now, action, payload):
        self.asked.append((action, payload))
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply

    def on_result(self, now, payload, error):
        self.results.append((now, payload, error))

    def call(self, now=0, action="Heartbeat", payload=None):
        """Send a CALL; returns its message id."""
        self.rpc.call(now, action, payload or {}, 30000)
        return self.rpc.outstanding[0]

    def receive(self, frame, now=0):
        self.rpc.received(now, frame if type(frame) is str else json.dumps(frame))

    def frames(self):
        frames = [json.loads(text) for text in self.rpc.frames]
        self.rpc.frames = []
        return frames


def test_a_call_is_answered_with_its_id():
    peer = Peer({"status": "Accepted"})
    peer.receive([2, "abc", "Reset", {"type": "OnIdle"}])
    assert peer.asked == [("Reset", {"type": "OnIdle"})]
    assert peer.frames() == [[3, "abc", {"status": "Accepted"}]]


def test_an_id_of_36_characters_is_answered():
    peer = Peer()
    peer.receive([2, "x" * 36, "Reset", {}])
    assert peer.frames() == [[3, "x" * 36, {}]]


def test_a_refused_call_gets_its_callerror():
    peer = Peer(rpc.CallError("NotSupported", "no"))
    peer.receive([2, "abc", "Reset", {}])
    assert peer.frames() == [[4, "abc", "NotSupported", "no", {}]]


def test_a_callerror_text_is_cut_at_255_characters():
    peer = Peer(rpc.CallError("FormatViolation", "x" * 300))
    peer.receive([2, "abc", "Reset", {}])
    assert len(peer.frames()[0][3]) == 255


def test_a_handler_out_of_memory_is_an_internal_error():
    peer = Peer(MemoryError())
    peer.receive([2, "abc", "Reset", {}])
    assert peer.frames()[0][:3] == [4, "abc", "InternalError"]


def test_every_call_is_answered_once_and_in_order():
    peer = Peer()
    for message_id in ("a", "b", "c"):
        peer.receive([2, message_id, "Reset", {}])
    assert [frame[1] for frame in peer.frames()] == ["a", "b", "c"]


def test_an_own_call_is_sent_with_a_fresh_id_also_after_a_reboot():
    seen = []
    urandom = Urandom()
    for _ in range(5):
        peer = Peer(urandom=urandom)
        for _ in range(10):
            message_id = peer.call()
            assert peer.frames() == [[2, message_id, "Heartbeat", {}]]
            assert len(message_id) <= 36 and message_id not in seen
            seen.append(message_id)
            peer.receive([3, message_id, {}])


def test_a_uuid_is_one_of_version_4():
    text = rpc.uuid(Urandom())
    assert len(text) == 36 and [len(part) for part in text.split("-")] == [8, 4, 4, 4, 12]
    assert text[14] == "4" and text[19] in "89ab"


def test_an_own_call_gets_its_result():
    peer = Peer()
    peer.receive([3, peer.call(), {"currentTime": "x"}], 5)
    assert peer.results == [(5, {"currentTime": "x"}, None)]
    assert peer.rpc.outstanding is None


def test_an_own_call_gets_its_callerror():
    peer = Peer()
    peer.receive([4, peer.call(), "InternalError", "sorry", {}], 5)
    assert peer.results == [(5, None, "InternalError")]


def test_a_callerror_may_be_short():
    peer = Peer()
    peer.receive([4, peer.call(), "InternalError"], 5)
    assert peer.results == [(5, None, "InternalError")]


def test_an_own_call_without_an_answer_times_out():
    peer = Peer()
    peer.call(1000)
    assert peer.rpc.deadline == 31000
    peer.rpc.tick(30999)
    assert peer.results == []
    peer.rpc.tick(31000)
    assert peer.results == [(31000, None, "timeout")]
    peer.rpc.tick(99999)
    assert len(peer.results) == 1


def test_an_own_call_dies_with_the_link():
    peer = Peer()
    peer.call()
    peer.rpc.link_down(7)
    assert peer.results == [(7, None, "offline")]
    assert peer.frames() == []


def test_a_late_answer_is_ignored_while_the_next_call_waits():
    peer = Peer()
    late = peer.call(0)
    peer.rpc.tick(30000)
    young = peer.call(30000)
    peer.receive([3, late, {"late": 1}], 30001)
    assert peer.results == [(30000, None, "timeout")]
    peer.receive([3, young, {"young": 1}], 30002)
    assert peer.results[1:] == [(30002, {"young": 1}, None)]


def test_an_answer_is_taken_once():
    peer = Peer()
    message_id = peer.call()
    peer.receive([3, message_id, {}])
    peer.receive([3, message_id, {}])
    peer.receive([4, message_id, "GenericError", "", {}])
    assert len(peer.results) == 1


def test_answers_to_nothing_are_not_answered():
    peer = Peer()
    for frame in ([3, "abc", {}], [4, "abc", "GenericError", "", {}], [3], [4], [3, None, {}], [3, ["a"], {}]):
        peer.receive(frame)
    assert peer.frames() == []
    assert peer.results == []
    assert len(peer.lines) == 6


def test_a_malformed_answer_ends_the_call():
    for rest in ([], [{}, {}], [1, 2, 3]):
        peer = Peer()
        peer.receive([3, peer.call()] + rest)
        assert peer.results == [(0, None, "RpcFrameworkError")], rest
    peer = Peer()
    peer.receive([4, peer.call(), 17, "", {}])
    assert peer.results == [(0, None, "RpcFrameworkError")]


def test_a_call_is_answered_while_an_own_one_waits():
    peer = Peer()
    message_id = peer.call()
    peer.receive([2, "csms", "Reset", {}])
    assert [frame[:2] for frame in peer.frames()] == [[2, message_id], [3, "csms"]]
    peer.receive([3, message_id, {}])
    assert len(peer.results) == 1


def test_a_call_with_the_id_of_an_own_one_is_still_a_call():
    peer = Peer()
    message_id = peer.call()
    peer.frames()
    peer.receive([2, message_id, "Reset", {}])
    assert peer.frames() == [[3, message_id, {}]]
    assert peer.results == []


def test_an_oversize_call_gets_its_callerror():
    peer = Peer()
    peer.rpc.oversize(b'[2, "abc", "DataTransfer", {"data": "xxxx', 100000)
    assert peer.frames()[0][:3] == [4, "abc", "FormatViolation"]


def test_an_oversize_message_without_a_readable_id_gets_minus_one():
    for head in (b"", b"xxxxxxxx", b'{"a": 1', b'[2, "' + b"x" * 200, b"[2,\xff\xff", b'[2, 5, "Reset"'):
        peer = Peer()
        peer.rpc.oversize(head, 100000)
        assert peer.frames()[0][:3] == [4, "-1", "RpcFrameworkError"], head


def test_an_oversize_answer_is_not_answered():
    for head in (b'[3, "abc", {"x', b' [ 4 , "abc", "GenericError', b'[3,"abc'):
        peer = Peer()
        peer.rpc.oversize(head, 100000)
        assert peer.frames() == [], head


def test_an_oversize_answer_leaves_the_call_to_its_timeout():
    peer = Peer()
    message_id = peer.call()
    peer.rpc.oversize(('[3, "%s", {"' % message_id).encode(), 9999)
    assert peer.rpc.outstanding
    peer.rpc.tick(30000)
    assert peer.results == [(30000, None, "timeout")]
