"""The IEC 61851 driver and its pins in all that goes well, and in what the car or the machinery does wrong."""

from holdfast.hardware import outlet
from pilot_desk import FULL, SECOND, PilotDesk
from pilot_wire import PATIENCE, SLOW


def test_all_contactors_are_open_and_all_pilots_at_12_v_at_first():
    desk = PilotDesk()
    for evse_id in (1, 2):
        assert not desk.bench.is_on(desk.bench.evse(evse_id), "contactor")
        assert desk.bench.duty(evse_id) == 1000
        assert desk.bench.pwms[desk.pins[evse_id - 1]["pilot_pwm"]].freq == 1000


def test_nothing_happens_without_a_car():
    desk = PilotDesk()
    desk.clear()
    desk.run(5000)
    assert desk.sent == [] and [line for line in desk.lines if line[0] == "error"] == []


def test_a_car_that_is_plugged_in_is_reported():
    desk = PilotDesk()
    desk.clear()
    desk.bench.evse(2).car.plug()
    desk.run(600)
    assert desk.statuses() == [(2, 1, "Occupied")]


def test_a_session_from_the_plug_to_the_unplugging():
    for evse_id, amps in ((1, 32), (2, 16)):
        desk = PilotDesk()
        evse = desk.bench.evse(evse_id)
        evse.car.plug()
        desk.run(600)
        assert not evse.contact and desk.bench.duty(evse_id) == 1000
        desk.clear()
        desk.swipe("DEADBEEF42", evse_id)
        desk.run(2000)
        assert not evse.contact and abs(desk.bench.duty(evse_id) - amps * 100 / 6) < 1
        evse.car.s2 = True
        desk.run(600)
        assert evse.contact
        assert [event[2] for event in desk.events()] == ["SuspendedEV", "Charging"]
        desk.swipe("DEADBEEF42", evse_id)
        desk.run(100)
        assert evse.contact and desk.bench.duty(evse_id) == 1000  # the car may stop drawing first
        evse.car.s2 = False
        desk.run(300)
        assert not evse.contact
        desk.run(1500)
        assert not evse.locked
        evse.car.unplug()
        desk.run(600)
        assert desk.status(evse_id) == "Available"
        assert desk.events()[-1][0] == "Ended"


def test_a_car_that_pauses_and_goes_on_is_told_as_suspended_and_charging():
    desk = PilotDesk()
    evse = desk.charging()
    left = desk.bench.now()
    evse.car.s2 = False
    desk.run(600)
    assert desk.opened() - left <= 100  # with the contactor's own 25 ms
    evse.car.s2 = True
    desk.run(3000)  # sequence 4
    assert evse.contact
    assert [event[2] for event in desk.events()] == ["SuspendedEV", "Charging"]


def test_a_transaction_without_a_driver_offers_nothing():
    desk = PilotDesk(variables={"TxCtrlr.TxStartPoint": "EVConnected"})
    desk.bench.evse(1).car.plug(s2=True)
    desk.run(5000)
    assert desk.station.evses[0].transaction is not None
    assert desk.bench.duty(1) == 1000 and desk.bench.evse(1).history == []


def test_a_transaction_that_outlives_its_driver_offers_nothing_any_more():
    desk = PilotDesk(variables={"TxCtrlr.TxStopPoint": "EVConnected"})
    desk.charging()
    desk.swipe("DEADBEEF42", 1)
    desk.run(10_000)
    assert desk.station.evses[0].transaction is not None and desk.station.evses[0].fault is None
    assert desk.bench.duty(1) == 1000 and not desk.bench.evse(1).contact


def test_a_driver_whom_the_csms_refuses_after_all_is_offered_nothing_any_more():
    desk = PilotDesk()
    desk.charging()
    desk.station.evses[0].authorization.refused = True  # E05, in the answer to an event
    desk.station.settle(desk.now)
    desk.run(10_000)
    assert desk.bench.duty(1) == 1000 and not desk.bench.evse(1).contact


def test_a_car_that_pauses_is_offered_nothing_any_more_when_the_station_would_not_give_it():
    for what, value in (("refused", True), ("transaction", None), ("authorization", None), ("fault", "EmergencyStop")):
        desk = PilotDesk()
        evse = desk.charging()
        evse.car.s2 = False
        desk.run(600)
        assert desk.bench.duty(1) < 1000
        place = desk.station.evses[0]
        setattr(place.authorization if what == "refused" else place, what, value)
        desk.driver.look()
        assert desk.bench.duty(1) == 1000, what


def test_an_unplugged_car_under_load_is_off_the_mains_within_100_ms():
    desk = PilotDesk()
    for evse_id in (1, 2):
        evse = desk.charging(evse_id)
        left = desk.bench.now()
        evse.car.unplug()
        desk.run(600)
        assert desk.opened(evse_id) - left <= 100
        assert desk.status(evse_id) == "Available" and desk.events()[-1][0] == "Ended"


def test_a_stop_that_the_car_ignores_ends_after_6_s():
    desk = PilotDesk()
    desk.charging()
    stopped = desk.bench.now()
    desk.swipe("DEADBEEF42", 1)
    desk.run(8000)
    assert PATIENCE <= desk.opened() - stopped <= PATIENCE + 100


def test_noise_on_the_pilot_and_the_proximity_contact_disturbs_nothing():
    def noise(mv, state=[1]):  # noqa: B006 -- it is to remember
        state[0] = state[0] * 75 % 65537
        return mv + (state[0] & 63) - 32 + (900 if state[0] % 499 == 0 else 0)  # 0.4 V on the wire, and spikes

    desk = PilotDesk()
    for gpio in (36, 39):
        desk.bench.adcs[gpio].spoil = noise
    evse = desk.charging()
    desk.run(5000)
    assert evse.contact and len(evse.history) == 1
    left = desk.bench.now()
    evse.car.s2 = False
    desk.run(600)
    assert desk.opened() - left <= 100 and desk.driver.ports[0].outlet.fault is None


def spoil(desk, reading):
    """Let the driver see `reading(mv, number in this look)` instead of the mV at the pilot input of EVSE 1."""

    def spoilt(mv):
        count[0] += 1
        return reading(mv, count[0])

    def look():
        count[0] = 0
        looks()

    count = [0]
    looks = desk.driver.look
    desk.driver.look = look
    desk.bench.adcs[36].spoil = spoilt


def spiking(desk, at, spike):
    """In each look at EVSE 1 the reading number `at` of the pilot is `spike` mV at the pin."""
    spoil(desk, lambda mv, number: spike if number == at else mv)


def test_readings_that_drift_while_there_are_only_a_few_of_a_level_disturb_nothing():
    for amps in (6, 80):
        for drift in (1, -1):
            desk = PilotDesk((dict(FULL, amps=amps), SECOND))
            desk.bench.evse(1).car.cable = 100
            desk.driver.ports[0].outlet.limit = amps
            spoil(desk, lambda mv, number, drift=drift: mv + drift * number)
            evse = desk.charging()
            desk.run(3000)
            assert evse.contact and len(evse.history) == 1, (amps, drift)


def test_one_spike_in_every_look_disturbs_nothing():
    for at in (1, 2, 7, 20):
        for spike in (75, 300, 2100, 3150):
            desk = PilotDesk()
            evse = desk.charging()
            spiking(desk, at, spike)
            desk.run(2000)
            assert evse.contact and len(evse.history) == 1, (at, spike)
            left = desk.bench.now()
            evse.car.s2 = False
            desk.run(300)
            assert desk.opened() - left <= 100, (at, spike)


def test_one_spike_in_every_look_is_no_diode():
    for at in (1, 2, 7, 20):
        desk = PilotDesk()
        desk.bench.evse(1).car.diode = False
        spiking(desk, at, 300)  # -12 V
        desk.bench.evse(1).car.plug(s2=True)
        desk.run(600)
        desk.swipe("DEADBEEF42", 1)
        desk.run(3000)
        assert desk.bench.evse(1).history == [] and desk.station.evses[0].fault == "DiodeMissing", at


def test_a_pilot_input_that_reads_one_voltage_for_ever_opens_the_contactor():
    for stuck in (0, 300, 1200, 1650, 2100, 3300):
        desk = PilotDesk()
        desk.charging()
        at = desk.bench.now()
        desk.bench.adcs[36].spoil = lambda mv, stuck=stuck: stuck
        desk.run(1000)
        assert desk.opened() - at <= 500, stuck


def test_a_proximity_input_that_is_open_or_shorted_rates_no_cable_whatever_its_pull_up():
    for pull_up in (900, 1500):
        for mv in (0, 75, 150, 2450, 3150, 3300, 3400):
            desk = PilotDesk((dict(FULL, pull_up=pull_up), SECOND))
            desk.bench.adcs[39].spoil = lambda real, mv=mv: mv
            desk.bench.evse(1).car.plug(s2=True)
            desk.run(600)
            desk.swipe("DEADBEEF42", 1)
            desk.run(3000)
            assert desk.bench.evse(1).history == [], (pull_up, mv)
            assert ("error", "EVSE 1 faulted: CableUnknown") in desk.lines, (pull_up, mv)


def test_an_attached_cable_carries_what_the_installation_gives_however_it_changes():
    desk = PilotDesk()
    desk.charging(2)
    for amps in (6, 16, 10):
        desk.driver.ports[1].outlet.limit = amps
        desk.run(SLOW + 100)
        assert abs(desk.bench.duty(2) - amps * 100 / 6) < 1


def test_a_restart_of_the_board_finds_the_car_that_is_plugged_in():
    desk = PilotDesk()
    desk.bench.evse(1).car.plug()
    desk.run(600)
    desk.reboot()
    desk.bench.evse(1).car.plug()
    desk.clear()
    desk.run(600)
    assert desk.statuses() == [(1, 1, "Occupied")]


def test_residual_current_opens_before_the_next_look():
    for evse_id in (1, 2):
        desk = PilotDesk()
        evse = desk.charging(evse_id)
        at = desk.bench.now()
        desk.bench.trip(evse_id)
        assert not desk.bench.is_on(evse, "contactor")
        desk.bench.trip(evse_id, False)  # however short it was
        desk.run(500)
        assert desk.opened(evse_id) - at <= 30
        assert desk.status(evse_id) == "Faulted" and desk.bench.duty(evse_id) == 0
        assert desk.of("TransactionEvent")[-1]["transactionInfo"]["stoppedReason"] == "GroundFault"


def test_a_fault_that_is_over_leaves_an_evse_that_works():
    desk = PilotDesk()
    evse = desk.charging()
    desk.bench.trip(1)
    desk.run(1000)
    desk.bench.trip(1, False)
    evse.car.unplug()
    desk.run(12_000)
    assert desk.status(1) == "Available"
    desk.charging()


def test_a_car_without_its_diode_gets_no_energy():
    for r3 in (1870, 2740, 4610):
        desk = PilotDesk()
        evse = desk.bench.evse(1)
        evse.car.diode = False
        evse.car.r3 = r3
        evse.car.plug()
        desk.run(600)
        desk.swipe("DEADBEEF42", 1)
        desk.run(3000)
        evse.car.s2 = True
        desk.run(3000)
        assert evse.history == [] and desk.status(1) == "Faulted"
        assert ("error", "EVSE 1 faulted: DiodeMissing") in desk.lines


def test_a_front_end_at_the_limits_of_table_a4_charges():
    for swing in (11_100, 12_900):
        desk = PilotDesk()
        desk.bench.evse(1).swing = swing
        evse = desk.charging()
        desk.run(2000)
        assert evse.contact and desk.station.evses[0].fault is None


def test_a_welded_contactor_is_reported():
    desk = PilotDesk()
    evse = desk.charging(2)
    evse.welded = True
    evse.car.s2 = False
    desk.run(1000)
    assert evse.contact and ("error", "EVSE 2 faulted: ContactorWelded") in desk.lines


def test_a_cable_limits_what_is_offered():
    for ohms, amps in ((1500, 13), (680, 20), (220, 32), (100, 32)):
        desk = PilotDesk()
        desk.bench.evse(1).car.cable = ohms
        desk.charging()
        assert abs(desk.bench.duty(1) - amps * 100 / 6) < 1, ohms


def test_every_current_that_can_be_offered_can_also_be_measured():
    # 6 A leaves 100 us of +12 V in a period, 80 A 40 us of -12 V: less than an ADC reading takes.
    for amps in (6, 10, 16, 32, 51, 63, 80):
        pins = dict(SECOND)
        pins["amps"] = amps
        desk = PilotDesk(pins=(pins,), evses=(("cType2",),))
        desk.charging()
        desk.run(3000)
        assert desk.bench.evse(1).contact and desk.driver.ports[0].outlet.fault is None, amps
        assert abs(desk.bench.duty(1) - outlet.duty(amps)) < 1
        left = desk.bench.now()
        desk.bench.evse(1).car.s2 = False
        desk.run(300)
        assert desk.opened() - left <= 100


def test_what_is_not_watched_is_said_once():
    pins = {"pilot_pwm": 25, "pilot_adc": 36, "pilot_mv": [300, 2100], "contactor": 26, "amps": 16}
    desk = PilotDesk(pins=(pins,), evses=(("cType2",),))
    assert [line for line in desk.lines if line[0] == "warning"] == [
        ("warning", "EVSE 1 has no mirror input"), ("warning", "EVSE 1 has no residual input")]
    desk.charging()


def test_one_look_takes_a_few_milliseconds_at_the_most():
    desk = PilotDesk()
    desk.charging(1)
    desk.charging(2)
    before = desk.bench.us
    desk.driver.look()
    assert desk.bench.us - before < 6000
    desk = PilotDesk()
    before = desk.bench.us
    desk.driver.look()
    assert desk.bench.us - before < 1000  # a steady pilot needs no two periods


def test_the_clock_may_wrap_while_a_level_is_measured():
    desk = PilotDesk()
    desk.charging()
    desk.bench.us += (1 << 30) - desk.bench.us % (1 << 30) - 1000
    desk.driver.ports[0].looked = desk.bench.now()
    desk.run(1000)
    assert desk.bench.evse(1).contact
