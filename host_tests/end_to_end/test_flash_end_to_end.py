"""Flash under the whole station: when it fails, when it is full, and when it is used a thousand times."""

from desk import TOKEN1, TOKEN2, iso
from littlefs.errors import LittleFSError

from tools import image

CYCLES = 1000


def fill(path):
    """Add the largest file for which there is room."""
    empty = path.read_bytes()
    least, most = 0, len(empty) // image.BLOCK
    while least < most:
        blocks = (least + most + 1) // 2
        path.write_bytes(empty)  # littlefs keeps the old content while it writes the new
        try:
            image.update_image(path, {"filler": b"x" * blocks * image.BLOCK})
            least, full = blocks, path.read_bytes()
        except LittleFSError:
            most = blocks - 1
    path.write_bytes(full)


async def test_a_failing_flash_refuses_and_changes_nothing(station):
    """H01.FR.02, H02.FR.02: Rejected with InternalError; statuses, reservation and variables are as before."""
    async with station() as desk:
        assert await desk.reserve(7, 1, TOKEN1) == "Accepted"
        await desk.statuses("Reserved", 1)
        desk.board.fail_flash()
        for action, payload in (
                ("ReserveNow", {"id": 8, "evseId": 2, "idToken": iso(TOKEN2), "expiryDateTime": desk.csms.time(600)}),
                ("ReserveNow", {"id": 7, "evseId": 2, "idToken": iso(TOKEN2), "expiryDateTime": desk.csms.time(600)}),
                ("CancelReservation", {"reservationId": 7}),
                ("ChangeAvailability", {"operationalStatus": "Inoperative"})):
            assert await desk.call(action, payload) == {
                "status": "Rejected", "statusInfo": {"reasonCode": "InternalError"}}, action
        assert await desk.set_variable("TxCtrlr.EVConnectionTimeOut", "99") == "Rejected"
        assert await desk.get_variable("TxCtrlr.EVConnectionTimeOut") == "60"
        await desk.quiet()
        assert await desk.remote_start(TOKEN2, 1) == "Rejected"
        desk.board.heal_flash()
        assert await desk.power_cycle() == {(1, 1): "Reserved", (1, 2): "Reserved", (2, 1): "Available"}
        assert await desk.remote_start(TOKEN2, 1) == "Rejected"
        assert await desk.reserve(7, 2, TOKEN2) == "Accepted"
        await desk.statuses("Available", 1)
        await desk.statuses("Reserved", 2)
        await desk.quiet()


async def test_a_failing_flash_sends_no_driver_away(station):
    """H03.FR.01, H03.FR.09: the reservation can be used all the same."""
    async with station() as desk:
        assert await desk.reserve(7, 1, TOKEN1) == "Accepted"
        await desk.statuses("Reserved", 1)
        desk.board.fail_flash()
        await desk.authorize("local", TOKEN1, asked=False)
        await desk.statuses("Available", 1)
        await desk.charge(TOKEN1, reservation_id=7)
        await desk.quiet()


async def test_a_full_flash_refuses_and_changes_nothing(cold):
    """H01.FR.03: Rejected with OutOfStorage, until there is room again."""
    async with cold() as desk:
        fill(desk.path)
        await desk.power_on()
        for _ in range(2):
            assert await desk.reserve(7, 1) == "Rejected"
            assert desk.answer["statusInfo"] == {"reasonCode": "OutOfStorage"}
        assert await desk.cancel(7) == "Rejected"
        await desk.quiet()
        await desk.board.apower_cut()
        image.update_image(desk.path, {}, remove=["filler"])
        await desk.power_on()
        assert await desk.reserve(7, 1) == "Accepted"
        await desk.statuses("Reserved", 1)
        assert await desk.power_cycle() == {(1, 1): "Reserved", (1, 2): "Reserved", (2, 1): "Available"}


async def test_a_flash_that_others_have_filled_still_serves_a_station_that_has_its_directory(station):
    """H01.FR.03, H02.FR.02: records replace each other in place."""
    async with station() as desk:
        assert await desk.reserve(7, 1) == "Accepted"
        assert await desk.cancel(7) == "Accepted"
        await desk.board.apower_cut()
        fill(desk.path)
        await desk.power_on()
        for number in range(60):
            assert await desk.reserve(number, 2) == "Accepted"
            assert await desk.cancel(number) == "Accepted"
        await desk.sync()
        desk.link.forget()


async def test_a_damaged_record_is_set_aside_and_the_others_are_kept(station):
    """B01.FR.13: a flipped bit costs one reservation, and the console tells."""
    async with station() as desk:
        assert await desk.reserve(7, 1) == "Accepted"
        assert await desk.reserve(8, 2) == "Accepted"
        await desk.board.apower_cut()
        files = image.read_image(desk.path)
        damaged = bytearray(files["records/reservation-7"])
        damaged[20] ^= 1
        image.update_image(desk.path, {"records/reservation-7": bytes(damaged)})
        assert await desk.power_on() == {(1, 1): "Available", (1, 2): "Available", (2, 1): "Reserved"}
        assert "records set aside: 1" in await desk.console("status")
        assert await desk.reserve(7, 1) == "Accepted"
        assert await desk.cancel(8) == "Accepted"
        await desk.statuses("Reserved", 1)
        await desk.statuses("Available", 2)
        await desk.quiet()


async def test_a_thousand_reservations_leave_no_trace(station):
    """H01.FR.03, H02.FR.02: heap and flash wear are the same after the first hundred and at the end."""
    async with station(board={"heap": "600K"}) as desk:
        used = []
        await desk.console("memory")  # what the command needs is imported at its first use
        for number in range(CYCLES):
            assert await desk.reserve(number % 7, 2) == "Accepted"
            assert await desk.cancel(number % 7) == "Accepted"
            if number in (100, CYCLES - 1):
                await desk.sync()
                desk.link.calls.clear()
                lines = await desk.console("memory")
                used.append((int(lines[0].split()[-1]), desk.board.flash))
        (heap, flash), (heap_at_the_end, flash_at_the_end) = used
        changes = 2 * (CYCLES - 1 - 100)
        assert abs(heap_at_the_end - heap) < 1000
        assert (flash_at_the_end.programs - flash.programs) / changes <= 2.1
        assert (flash_at_the_end.erases - flash.erases) / changes <= 0.05


async def test_a_power_cut_in_a_session_is_told_as_its_end(station):
    """E06, B12.FR.05: no energy after it, and the transaction ends with PowerLoss under its next number."""
    async with station() as desk:
        assert await desk.reserve(7, 1, TOKEN1) == "Accepted"
        await desk.statuses("Reserved", 1)
        await desk.authorize("local", TOKEN1, asked=False)
        await desk.statuses("Available", 1)
        started = await desk.charge(TOKEN1, reservation_id=7)
        await desk.sync()
        assert await desk.power_cycle() == {(1, 1): "Available", (1, 2): "Available", (2, 1): "Available"}
        ended = await desk.expect("TransactionEvent", eventType="Ended")
        assert ended["transactionInfo"] == {
            "transactionId": started["transactionInfo"]["transactionId"], "stoppedReason": "PowerLoss"}
        await desk.quiet()
        await desk.power_cycle()
        await desk.quiet()
