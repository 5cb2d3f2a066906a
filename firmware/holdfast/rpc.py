"""OCPP-J: CALL, CALLRESULT and CALLERROR over text messages (Part 4 §4), without knowing what carries them.

Promises: every CALL gets exactly one answer with its own id; whatever is not a message gets the CALLERROR the
specification wants, with the message id wherever that can still be read; answers are never answered; one own CALL is
outstanding at a time, and a late or unsolicited answer is logged and otherwise ignored. No input raises.
"""

import json
from binascii import hexlify

# Brackets that no real message comes near. A parser that is fed nothing but "[" would eat the heap.
_MOST_BRACKETS = 128
_ID_LENGTH = 36


class CallError(Exception):
    """Raised by a handler to answer with a CALLERROR: its code of Part 4 table 8, and why in a few words."""


def uuid(urandom):
    """A random UUID (RFC 9562 version 4) of 36 characters from 16 bytes of `urandom`."""
    digits = hexlify(urandom(16)).decode()
    return "%s-%s-4%s-8%s-%s" % (digits[:8], digits[8:12], digits[13:16], digits[17:20], digits[20:])


class Rpc:
    """One station's end of the conversation. `frames` holds what is to be sent, in order; the owner empties it.

    `answer(now, action, payload)` is called for each CALL: the payload of the CALLRESULT, or it raises CallError.
    `answered(now, payload, error)` is called once for each own CALL, with None for one of the two. The error is the
    code of a CALLERROR, "timeout", or "offline" when the link was lost.
    """

    def __init__(self, urandom, answer, answered, log):
        self.answer = answer
        self.answered = answered
        self.log = log
        self.frames = []
        self.outstanding = None  # (message id, action) of the own CALL that has no answer yet
        self.deadline = 0  # when it times out, monotonic ms
        # Message ids have to differ from all that this station ever used (Part 4 §4.1.4): random for each power-on,
        # counted from there. A UUID for each would leave more garbage than all the rest of a short message.
        self._power_on = hexlify(urandom(6)).decode()
        self._calls = 0

    def call(self, now, action, payload, timeout):
        """Send a CALL, while none is outstanding. `timeout` in ms."""
        self._calls += 1
        message_id = "%s-%d" % (self._power_on, self._calls)
        self.outstanding = (message_id, action)
        self.deadline = now + timeout
        self.frames.append(json.dumps([2, message_id, action, payload]))

    def tick(self, now):
        """Give up the outstanding CALL when its time is over. Its id is forgotten, so a late answer matches nothing."""
        if self.outstanding and now >= self.deadline:
            self.log("warning", "no answer to %s in time" % self.outstanding[1])
            self._finish(now, None, "timeout")

    def link_down(self, now):
        """Answers die with the connection, in both directions."""
        self.frames = []
        if self.outstanding:
            self._finish(now, None, "offline")

    def received(self, now, text):
        """Take one text message (str)."""
        try:
            if text.count("[") > _MOST_BRACKETS:
                raise ValueError
            frame = json.loads(text)
        except MemoryError:
            self._reject(text, "InternalError", "out of memory")
            return
        except (ValueError, RuntimeError):  # RuntimeError: nested too deeply for the parser
            self._reject(text, "FormatViolation", "not JSON, or nested too deeply")
            return
        kind = frame[0] if type(frame) is list and frame else None
        if type(kind) is not int:
            self._error(None, "RpcFrameworkError", "not an array that starts with a message type")
        elif kind == 2:
            self._call(now, frame)
        elif kind in (3, 4):
            self._answered(now, frame)
        else:
            self._error(_id_of(frame), "MessageTypeNotSupported", "message type %d" % kind)

    def oversize(self, head, total):
        """A message too large to keep: `head` its first bytes, `total` its length. A CALL gets its CALLERROR."""
        self._reject(head, "FormatViolation", "message of %s bytes is too large" % total)

    def _call(self, now, frame):
        message_id = _id_of(frame)
        if message_id is None or len(frame) != 4 or type(frame[2]) is not str:
            self._error(message_id, "RpcFrameworkError", "a CALL is [2, id, action, payload]")
            return
        try:
            self.frames.append(json.dumps([3, message_id, self.answer(now, frame[2], frame[3])]))
        except CallError as error:
            self._error(message_id, *error.args)
        except MemoryError:
            self._error(message_id, "InternalError", "out of memory")

    def _answered(self, now, frame):
        waiting = self.outstanding
        if waiting is None or len(frame) < 2 or frame[1] != waiting[0]:
            self.log("warning", "answer to nothing ignored")
        elif frame[0] == 3 and len(frame) == 3:
            self._finish(now, frame[2], None)
        else:
            error = frame[2] if frame[0] == 4 and len(frame) > 2 and type(frame[2]) is str else "RpcFrameworkError"
            self.log("warning", "%s answered with %s" % (waiting[1], error[:50]))
            self._finish(now, None, error)

    def _finish(self, now, payload, error):
        self.outstanding = None
        self.answered(now, payload, error)

    def _reject(self, text, code, reason):
        """Answer what could not be parsed: with its id if it begins like a CALL, not at all if like an answer."""
        if type(text) is not str:
            try:
                text = bytes(text[:128]).decode()
            except ValueError:  # the cut, or the damage, went through a character
                text = ""
        opening, _, rest = text[:128].partition('"')
        message_id, _, rest = rest.partition('"')
        opening = "".join(opening.split())
        if opening[:2] in ("[3", "[4"):
            self.log("warning", "unreadable answer ignored")
        # An id with an escape in it would have to be decoded to be repeated: not worth it for a message lost anyway.
        elif (opening == "[2," and rest.strip()[:1] == ","
                and 0 < len(message_id) <= _ID_LENGTH and "\\" not in message_id):
            self._error(message_id, code, reason)
        else:
            self._error(None, "RpcFrameworkError", reason)

    def _error(self, message_id, code, text):
        self.log("warning", "CALLERROR %s: %s" % (code, text))
        self.frames.append(json.dumps([4, "-1" if message_id is None else message_id, code, text[:255], {}]))


def _id_of(frame):
    """The message id of a parsed frame, or None if there is no legal one."""
    if len(frame) > 1 and type(frame[1]) is str and len(frame[1]) <= _ID_LENGTH:
        return frame[1]
    return None
