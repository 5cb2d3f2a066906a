"""Run by MicroPython after boot.py: the agent, until Ctrl-C. At the REPL `station` and `agent` are at hand."""

from holdfast.agent import Agent

agent = Agent()
station = agent.station
agent.run()
