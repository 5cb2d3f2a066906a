"""The button that switches the page on: pressed for five seconds, so that nobody does it in passing."""

LONG = 5000  # ms


class Button:
    """`pin`: a machine.Pin that is low while the button is pressed."""

    def __init__(self, pin):
        self._pin = pin
        self._since = None  # when it was pressed; False once that has had its effect

    def pressed(self, now):
        """To be asked often, at monotonic ms `now`: True once for each long press."""
        if self._pin.value():
            self._since = None
        elif self._since is None:
            self._since = now
        elif self._since is not False and now - self._since >= LONG:
            self._since = False
            return True
        return False
