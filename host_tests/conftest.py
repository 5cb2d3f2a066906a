"""What tests of several folders share."""

import signal

import pytest

pytest.register_assert_rewrite("virtual_boards")

from virtual_boards import make_board  # noqa: E402, F401

# A shell that runs something in the background tells it to ignore Ctrl-C, and so do all that it starts. Several tests
# press Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
