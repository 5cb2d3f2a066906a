"""Run by MicroPython after boot.py: the agent, until Ctrl-C. At the REPL `station` and `agent` are at hand.

Whatever else ends the agent is a crash: reported on flash, and the board starts again.
"""

from holdfast import board

board.begin()
try:
    from holdfast.agent import Agent

    agent = Agent()
    station = agent.station
    agent.run()
except KeyboardInterrupt:
    board.end(board.ON_PURPOSE)
except Exception as error:  # noqa: BLE001 -- nobody is there to see it
    from holdfast import crash

    crash.over(error)
