"""The watchdog is fed while every task is in time, and never otherwise."""

from holdfast.watchdog import Watchdog


class FakeWdt:
    """machine.WDT, which can only be fed."""

    def __init__(self):
        self.fed = 0

    def feed(self):
        self.fed += 1


def make():
    wdt = FakeWdt()
    return wdt, Watchdog(wdt)


def test_it_is_fed_while_all_tasks_are_in_time():
    wdt, watchdog = make()
    watchdog.due["timer"] = 1000
    watchdog.due["link"] = 2000
    assert watchdog.look(1000) == [] and wdt.fed == 1


def test_one_task_that_is_late_is_enough_to_starve_it():
    wdt, watchdog = make()
    watchdog.due["timer"] = 9000
    watchdog.due["link"] = 2000
    assert watchdog.look(2001) == ["link"] and wdt.fed == 0


def test_a_task_that_is_back_lets_it_be_fed_again():
    wdt, watchdog = make()
    watchdog.due["link"] = 2000
    watchdog.look(3000)
    watchdog.due["link"] = 9000
    assert watchdog.look(4000) == [] and wdt.fed == 1


def test_a_task_that_waits_for_a_person_expects_nothing():
    wdt, watchdog = make()
    watchdog.due["console"] = None
    assert watchdog.look(10**9) == [] and wdt.fed == 1


def test_without_hardware_the_tasks_are_watched_all_the_same():
    watchdog = Watchdog(None)
    watchdog.due["link"] = 2000
    assert watchdog.look(1000) == [] and watchdog.look(3000) == ["link"]
