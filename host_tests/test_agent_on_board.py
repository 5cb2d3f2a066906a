"""The agent on the virtual board: Ctrl-C and Ctrl-D, restarts and why they happened, a person who types."""

import asyncio
import time

import pytest
from virtual_boards import PROMPT

from tools.csms import Csms
from tools.image import charger_files

QUICK = {"OCPPCommCtrlr.RetryBackOffWaitMinimum": "1", "OCPPCommCtrlr.RetryBackOffRandomRange": "0"}


@pytest.fixture
def on_board(make_board):
    """on_board(situation): run `await situation(csms, board, link)` with a station that has registered."""

    def run(situation):
        async def around():
            async with Csms() as csms:
                board = make_board(charger_files(csms.url, "HOLDFAST-1", variables=QUICK), size=512 * 4096)
                await board.apower_on()
                link = await registered(csms)
                await situation(csms, board, link)

        asyncio.run(around())

    return run


async def registered(csms):
    link = await csms.station()
    await link.registered()
    return link


def reason_of(csms):
    """The reason in the last BootNotification."""
    return csms.events("BootNotification")[-1]["reason"]


def test_ctrl_c_leads_to_the_repl_with_station_at_hand_and_ctrl_d_back(on_board):
    async def situation(csms, board, link):
        assert reason_of(csms) == "PowerUp"
        board.write("\x03")
        await board.aread_until("contactors open")
        await board.aread_until(PROMPT)
        board.write("print(len(station.evses), agent.link.state)\r")
        await board.aread_until("2 open")
        await link.wait_closed()
        board.write("\x04")
        await registered(csms)
        assert reason_of(csms) == "LocalReset"

    on_board(situation)


def test_a_reset_by_the_csms_is_answered_and_the_link_closed_before_the_board_restarts(on_board):
    async def situation(csms, board, link):
        answer = await link.call("Reset", {"type": "Immediate"})
        assert answer == {"status": "Accepted"}
        assert (await link.wait_closed())[0] == 1000
        await registered(csms)
        assert reason_of(csms) == "RemoteReset"

    on_board(situation)


def test_a_reset_during_a_session_tells_the_end_of_the_transaction_first(on_board):
    async def situation(csms, board, link):
        await board.acommand("plug 1")
        await board.acommand("swipe ABC123 ISO14443 1")
        await link.expect("TransactionEvent", eventType="Started")
        await link.call("Reset", {"type": "Immediate"})
        ended = await link.expect("TransactionEvent", eventType="Ended")
        assert ended["transactionInfo"]["stoppedReason"] == "ImmediateReset"
        await registered(csms)

    on_board(situation)


def test_a_reboot_at_the_console_is_a_local_reset(on_board):
    async def situation(csms, board, link):
        assert (await board.acommand("reboot")).ok == "ok restarting"
        await registered(csms)
        assert reason_of(csms) == "LocalReset"

    on_board(situation)


def test_what_a_person_types_is_echoed_and_can_be_mended(on_board):
    async def situation(csms, board, link):
        for character in "memx\x7fory\r":
            board.write(character)
            await asyncio.sleep(0.03)
        output = await board.aread_until("\nok")
        assert "> memx\b \bory\r\n" in output
        assert "heap used: " in output

    on_board(situation)


def test_disconnect_and_connect_bring_no_second_bootnotification(on_board):
    async def situation(csms, board, link):
        await board.acommand("disconnect")
        await link.wait_closed()
        await asyncio.sleep(0.3)
        assert "link: off" in await board.acommand("status")
        await board.acommand("connect")
        await csms.station()
        await asyncio.sleep(0.3)
        assert len(csms.events("BootNotification")) == 1
        assert "link: open" in await board.acommand("status")

    on_board(situation)


def test_a_flood_of_reservations_leaves_no_garbage_behind(on_board):
    async def situation(csms, board, link):
        used = []
        for _ in range(4):  # the log is full after the second time
            for number in range(10):
                request = {"id": number, "expiryDateTime": csms.time(600), "evseId": 1,
                           "idToken": {"idToken": "ABC123", "type": "Central"}}
                assert (await link.call("ReserveNow", request))["status"] == "Accepted"
                assert (await link.call("CancelReservation", {"reservationId": number}))["status"] == "Accepted"
            for _ in range(40):  # the statuses of all these changes are still on their way
                before = time.monotonic()
                await asyncio.sleep(0.1)
                if not [event for event in link.events("StatusNotification") if event.at > before]:
                    break
            used.append(int((await board.acommand("memory"))[0].split()[-1]))
        assert used[3] - used[2] < 1000

    on_board(situation)
