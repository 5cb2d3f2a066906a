"""One connection of one station, as the development CSMS sees it: CALLs to it, CALLs from it, and everything below.

Built on `ocpp.v201.ChargePoint`, but payloads keep the names they have on the wire. Every frame is kept in a log, and
whatever breaks the official schemas or the framing rules of OCPP-J is recorded as a violation. Nothing a station sends
is lost: what no `expect` asked for stays in `calls`, what answers nothing stays for `next_raw`.
"""

import asyncio
import collections
import inspect
import json
import time
import uuid

import ocpp.messages
import ocpp.v201
import websockets.asyncio.server
import websockets.exceptions
import websockets.frames
from ocpp.exceptions import OCPPError

from tools.csms_wire import (
    ERROR_CODES,
    CallError,
    Delay,
    Drop,
    Hold,
    LinkClosed,
    NoAnswer,
    NotSeen,
    Raw,
    Silence,
    StationCall,
    Unchecked,
    fits,
    matches,
    reported_statuses,
    schema_fault,
)


class Connection(websockets.asyncio.server.ServerConnection):
    """Notes when control frames come, so that tests can watch the station's pings."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.pings = []

    def process_event(self, event):
        if isinstance(event, websockets.frames.Frame) and event.opcode is websockets.frames.Opcode.PING:
            self.pings.append(time.monotonic())
        super().process_event(event)


class StationLink(ocpp.v201.ChargePoint):
    """One connection of one station.

    `log` holds every text frame as (monotonic time, "<-" from or "->" to the station, text); `statuses` the last status
    reported per (evse id, connector id); `closed` becomes (code, reason) at the end; `pings` are the times of the
    station's pings; `overlaps` lists CALLs that came while an earlier one was held, delayed or left unanswered.
    """

    def __init__(self, csms, station_id, connection):
        super().__init__(station_id, connection)
        self.csms, self.log, self.statuses, self.overlaps = csms, [], {}, []
        self.opened_at, self.closed = time.monotonic(), None
        self.calls = []
        self._answers = collections.deque()
        self._asked = {}            # message id -> action, of every CALL ever sent here
        self._pending = {}          # message id -> future
        self._news = asyncio.Event()
        self._unanswered, self._tasks, self._raw_sent = {}, set(), False

    @property
    def pings(self):
        return self._connection.pings

    # --- CALLs to the station

    async def call(self, action, payload=None, timeout=10, check=True, message_id=None):
        """Send a CALL when no other is outstanding, return the payload of its CALLRESULT.

        Raises `CallError` for a CALLERROR, `NoAnswer` after `timeout` seconds, `LinkClosed`; and `OCPPError` for a
        payload that the schema forbids, unless `check` is False.
        """
        async with self._call_lock:
            return await self.answer_to(await self.send_call(action, payload, check, message_id), timeout)

    async def send_call(self, action, payload=None, check=True, message_id=None):
        """Send a CALL without waiting for anything; returns its message id for `answer_to`."""
        message = ocpp.messages.Call(message_id or str(uuid.uuid4()), action, {} if payload is None else payload)
        if check:
            fault = await schema_fault(message)
            if fault:
                raise fault
        self._asked[message.unique_id] = action
        self._pending[message.unique_id] = asyncio.get_running_loop().create_future()
        await self._send(message.to_json())
        return message.unique_id

    async def answer_to(self, message_id, timeout=10):
        """The payload that answers the CALL with this id; raises like `call`."""
        try:
            return await asyncio.wait_for(self._pending[message_id], timeout)
        except asyncio.TimeoutError:
            raise NoAnswer("no answer to %s within %s s" % (self._asked[message_id], timeout)) from None
        finally:
            self._pending.pop(message_id, None)

    # --- CALLs from the station

    def events(self, action=None, **fields):
        """All CALLs received so far (consumed or not), oldest first, of this action and with these fields."""
        return [call for call in self.calls if action in (None, call.action) and matches(fields, call)]

    async def expect(self, action, match=None, timeout=5, **fields):
        """Wait for a CALL with this action and fields, consume and return it. Raises `NotSeen`.

        Takes the oldest that nobody consumed yet; what does not match stays for later. `match` is a dict whose keys may
        be dotted paths (see `matches`), or a predicate; `fields` are equal to a dict of single names.
        """
        return (await self._wait([(action, match, fields)], timeout))[0]

    async def expect_in_order(self, *patterns, timeout=5):
        """Wait for several CALLs that must arrive in this order (others may come between). Raises `NotSeen`.

        A pattern is an action or a pair (action, dict). Consumes and returns the CALLs as a list.
        """
        return await self._wait([(p, None, {}) if isinstance(p, str) else (p[0], p[1], {}) for p in patterns], timeout)

    async def nothing(self, action=None, seconds=0.5, match=None, **fields):
        """Fail with `NotSeen` if such a CALL is waiting unconsumed or arrives within `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            for call in self.calls:
                if not call.consumed and fits(call, action, match, fields):
                    raise NotSeen("%s came, but nothing like it was to come: %s" % (call.action, json.dumps(call)))
            if not await self._wait_for_news(deadline):
                return

    @property
    def tls(self):
        """The ssl.SSLObject of the connection, None without TLS."""
        return self._connection.transport.get_extra_info("ssl_object")

    def forget(self, action=None):
        """Consume everything received so far (of this action); returns it."""
        calls = [call for call in self.calls if not call.consumed and action in (None, call.action)]
        for call in calls:
            call.consumed = True
        return calls

    async def registered(self, connectors=3, timeout=10):
        """Wait until the station has booted and reported that many connectors; returns `statuses`, consumes both."""
        await self.expect("BootNotification", timeout=timeout)
        await self.all_reported(connectors, timeout)
        return dict(self.statuses)

    async def all_reported(self, connectors=3, timeout=10):
        """Wait until that many connectors have reported their status on this link; consumes those reports."""
        deadline = time.monotonic() + timeout
        while len(self.statuses) < connectors:
            if not await self._wait_for_news(deadline):
                raise NotSeen("only %d of %d connectors were reported%s"
                              % (len(self.statuses), connectors, self._recently(0)))
        self.forget("StatusNotification")
        return dict(self.statuses)

    async def status(self, evse_id, connector_id, status, timeout=5):
        """Wait for the report of one connector's status; consumes and returns it."""
        return await self.expect("StatusNotification", timeout=timeout, evseId=evse_id, connectorId=connector_id,
                                 connectorStatus=status)

    # --- below OCPP

    async def send_raw(self, text):
        """Send any text (or bytes, or a list of fragments) as one WebSocket message."""
        self._raw_sent = True
        if isinstance(text, str):
            self._remember_action(text)
            await self._send(text)
        else:
            await self._connection.send(text)

    async def next_raw(self, timeout=5):
        """The next frame of the station, as text, that is neither one of its CALLs nor the answer to `call`."""
        deadline = time.monotonic() + timeout
        while not self._answers:
            if not await self._wait_for_news(deadline):
                raise NotSeen("no answer frame within %s s%s" % (timeout, self._recently(3)))
        return self._answers.popleft()

    async def ask_raw(self, text, timeout=5):
        """Send any text, return the parsed frame that answers it."""
        await self.send_raw(text)
        return json.loads(await self.next_raw(timeout))

    def write(self, data):
        """Write bytes straight to the socket, below WebSocket."""
        self._connection.transport.write(data)

    async def ping(self, timeout=5):
        """Ping the station; returns the round-trip time."""
        return await asyncio.wait_for(await self._connection.ping(), timeout)

    def freeze(self):
        """Stop reading the socket: the connection is half open, nothing is answered, not even pings."""
        self._connection.transport.pause_reading()

    def thaw(self):
        """Read again."""
        self._connection.transport.resume_reading()

    def drop(self):
        """Abort the TCP connection, without a close frame."""
        self._connection.transport.abort()

    async def close(self, code=1000, reason=""):
        """Close with the closing handshake; returns (code, reason) that the station answered."""
        await self._connection.close(code, reason)
        return await self.wait_closed()

    async def wait_closed(self, timeout=10):
        """Wait for the end of the connection; returns (code, reason)."""
        deadline = time.monotonic() + timeout
        while self.closed is None:
            if not await self._wait_for_news(deadline):
                raise NotSeen("the connection did not end within %s s" % timeout)
        return self.closed

    # --- inside

    def _note(self, direction, text):
        now = time.monotonic()
        if direction != "--":
            self.log.append((now, direction, text))
        self.csms.tell(now, self.id, direction, text)

    async def _send(self, message):
        self._note("->", message)
        try:
            await self._connection.send(message)
        except websockets.exceptions.ConnectionClosed:
            raise LinkClosed("the connection to %s is closed" % self.id) from None

    async def start(self):
        """Receive until the connection ends."""
        try:
            while True:
                await self.route_message(await self._connection.recv())
        except websockets.exceptions.ConnectionClosed:
            pass
        finally:
            self.closed = (self._connection.close_code, self._connection.close_reason)
            self._note("--", ("disconnected (%s %s)" % self.closed).replace(" )", ")"))
            for task in self._tasks:
                task.cancel()
            for future in self._pending.values():
                if not future.done():
                    future.set_exception(LinkClosed("the connection ended (%s %s) before the answer" % self.closed))
                    future.exception()
            self._wake()

    async def route_message(self, raw_msg):
        self._note("<-", raw_msg)
        try:
            message = ocpp.messages.unpack(raw_msg)
        except OCPPError as fault:
            self._violation("no OCPP-J message: %s" % fault, raw_msg)
            self._answers.append(raw_msg)
        else:
            size = {2: 4, 3: 3, 4: 5}[message.message_type_id]
            if not isinstance(raw_msg, str) or len(json.loads(raw_msg)) != size:
                self._violation("not a text message of the right number of elements", raw_msg)
            if not isinstance(message.unique_id, str) or len(message.unique_id) > 36:
                self._violation("the message id is not a string of at most 36 characters", raw_msg)
            if message.message_type_id == ocpp.messages.MessageType.Call:
                await self._handle_call(message)
            else:
                await self._handle_answer(message, raw_msg)
        self._wake()

    async def _handle_answer(self, message, raw_msg):
        action = self._asked.get(message.unique_id)
        if message.message_type_id == ocpp.messages.MessageType.CallResult:
            message.action = action
            fault = action and await schema_fault(message)
            if fault:
                self._violation("response to %s: %s" % (action, fault), raw_msg)
        elif message.error_code not in ERROR_CODES:
            self._violation("unknown error code", raw_msg)
        elif not isinstance(message.error_description, str) or len(message.error_description) > 255 \
                or not isinstance(message.error_details, dict):
            self._violation("CALLERROR with a wrong description or wrong details", raw_msg)
        if action is None and not self._raw_sent:
            self._violation("answer to a CALL that nobody sent", raw_msg)
        future = self._pending.get(message.unique_id)
        if future is None or future.done():
            self._answers.append(raw_msg)
        elif message.message_type_id == ocpp.messages.MessageType.CallResult:
            future.set_result(message.payload)
        else:
            future.set_exception(CallError(message.error_code, message.error_description, message.error_details))
            future.exception()      # a caller that gave up must not leave "never retrieved" behind

    async def _handle_call(self, msg):
        call = StationCall(msg.payload, msg.action, msg.unique_id, time.monotonic(), self)
        if str(msg.unique_id) in self.csms.message_ids[self.id]:
            self._violation("message id used before", msg.to_json())
        self.csms.message_ids[self.id].add(str(msg.unique_id))
        self.overlaps += [(action, call.action, call.at - since) for action, since in self._unanswered.values()]
        self.calls.append(call)
        fault = await schema_fault(msg)
        if fault:
            self._violation("%s: %s" % (msg.action, fault), msg.to_json())
            await self._send(msg.create_call_error(fault).to_json())
            return
        for (evse_id, connector_id), status in reported_statuses(call):
            self.statuses[(evse_id, connector_id)] = status
        answer = self.csms.behaviour(call.action)
        self._unanswered[call.message_id] = (call.action, call.at)
        task = asyncio.create_task(self._answer(msg, call, answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.sleep(0)      # lets an answer that needs no waiting go out before the next frame is read

    async def _answer(self, msg, call, answer):
        """Do what the behaviour says, which may be a chain (a callable that returns a Delay that ends in a dict)."""
        try:
            while True:
                if inspect.isawaitable(answer):
                    answer = await answer
                elif isinstance(answer, Hold):
                    await answer.wait()
                    answer = answer.then
                elif isinstance(answer, Delay):
                    await asyncio.sleep(answer.seconds)
                    answer = answer.then
                elif answer is None:
                    answer = self.csms.usual_answer(call)
                elif callable(answer):
                    answer = answer(call)
                else:
                    break
            await self._send_answer(msg, answer)
        except LinkClosed:
            pass
        except Exception as error:  # noqa: BLE001 -- a faulty behaviour is a fault of the test and must fail it
            self._violation("the CSMS failed to answer %s: %r" % (call.action, error), msg.to_json())

    async def _send_answer(self, msg, answer):
        if isinstance(answer, Silence):
            return
        self._unanswered.pop(msg.unique_id, None)
        if isinstance(answer, Drop):
            self.drop()
        elif isinstance(answer, Raw):
            await self._send(answer.text.replace("%s", msg.unique_id))
        elif isinstance(answer, CallError):
            await self._send(json.dumps([4, msg.unique_id, answer.code, answer.description, answer.details]))
        elif isinstance(answer, Unchecked):
            await self._send(msg.create_call_result(answer.payload).to_json())
        else:
            result = msg.create_call_result(answer)
            fault = await schema_fault(result)
            if fault:
                raise fault
            await self._send(result.to_json())

    async def _wait(self, patterns, timeout):
        deadline = time.monotonic() + timeout
        while True:
            found = []
            for call in self.calls:
                if not call.consumed and fits(call, *patterns[len(found)]):
                    found.append(call)
                    if len(found) == len(patterns):
                        for consumed in found:
                            consumed.consumed = True
                        return found
            if not await self._wait_for_news(deadline):
                action, match, fields = patterns[len(found)]
                wanted = match if callable(match) else {**(match or {}), **fields}
                raise NotSeen("expected %s %s within %s s%s" % (action, wanted, timeout, self._recently()))

    async def _wait_for_news(self, deadline):
        """False when the deadline has passed or the connection is over."""
        left = deadline - time.monotonic()
        if left <= 0 or self.closed:
            return False
        self._news.clear()
        try:
            await asyncio.wait_for(self._news.wait(), left)
        except asyncio.TimeoutError:
            return False
        return True

    def _wake(self):
        self._news.set()

    def _remember_action(self, text):
        try:
            kind, message_id, action = json.loads(text)[:3]
        except (ValueError, TypeError, KeyError):
            return
        if kind == 2 and isinstance(message_id, str) and isinstance(action, str):
            self._asked[message_id] = action

    def _recently(self, count=8):
        waiting = ["%s %s" % (call.action, json.dumps(call)) for call in self.calls if not call.consumed]
        lines = ["; the connection ended: %s %s" % self.closed if self.closed else ""]
        lines += ["  not consumed: " + text for text in waiting]
        lines += ["  %s %s" % (direction, text) for _, direction, text in self.log[-count:]]
        return "\n".join(lines)

    def _violation(self, text, frame):
        self.csms.violations.append("%s: %s\n  in %s" % (self.id, text, frame))
        self._note("--", "VIOLATION " + text)
