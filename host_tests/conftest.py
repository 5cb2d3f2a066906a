"""What tests of several folders share."""

import pytest

pytest.register_assert_rewrite("virtual_boards")

from virtual_boards import make_board  # noqa: E402, F401
