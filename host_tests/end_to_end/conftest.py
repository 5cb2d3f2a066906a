"""Fixtures of the end-to-end tests, and coroutines as tests."""

import inspect

import desk as desks
import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """A test that is a coroutine function runs in an event loop of its own."""
    if inspect.iscoroutinefunction(pyfuncitem.obj):
        arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
        desks.run(pyfuncitem.obj(**arguments))
        return True


@pytest.fixture(scope="session")
def firmware_image(tmp_path_factory):
    return desks.blank_image(tmp_path_factory.mktemp("firmware"))


@pytest.fixture
def cold(firmware_image, tmp_path):
    """cold(...): a Desk whose station is still off."""
    return lambda **options: desks.Desk(firmware_image, tmp_path, **options)


@pytest.fixture
def station(cold):
    """station(...): a Desk whose station is on and registered."""
    return lambda **options: desks.running(cold(**options))
