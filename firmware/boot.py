"""Run by MicroPython before main.py. Nothing that can wait or fail belongs here, or the REPL would be out of reach."""

import gc

gc.collect()
