"""Run by MicroPython before main.py. Nothing that can wait or fail belongs here, or the REPL would be out of reach."""

import gc

try:
    import machine
    from holdfast import board

    board.quiet()
    # A soft reset leaves the watchdog running, and a tool that copies files does not start the agent, which feeds it.
    if machine.reset_cause() == machine.SOFT_RESET:
        board.hold()
except (AttributeError, ImportError, OSError, ValueError):
    pass

gc.collect()
