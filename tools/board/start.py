# What the supervisor starts inside MicroPython. One line, so that the REPL's namespace begins as empty as on a board.
__import__("power_up").run(globals())
