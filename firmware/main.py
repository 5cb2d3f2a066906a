"""Run by MicroPython after boot.py: the agent, until Ctrl-C. At the REPL `station`, `agent` and `resume` are at hand.

Whatever else ends the agent is a crash: reported on flash, and the board starts again.
"""

from holdfast import board

agent = station = None


def resume():
    """Go on after Ctrl-C."""
    global station
    agent.resume()
    station = agent.station  # that of the run which has just been stopped


board.begin()
try:
    from holdfast.agent import Agent

    agent = Agent()
    agent.run()
    station = agent.station
except KeyboardInterrupt:
    board.end(board.ON_PURPOSE)
except Exception as error:  # noqa: BLE001 -- nobody is there to see it
    from holdfast import crash

    crash.over(error)
