"""The installer's web page, over an access point of the board's own: a phone instead of a serial cable up a pole.

Imported when the page is switched on, and forgotten when it goes off. An image without this folder has no page, and the
agent says so. It is not made with microdot, whose core alone takes 11.4 kB of .mpy and 13 kB of heap, more than all of
this (10 kB and 5 kB), and has neither a limit for connections and heads nor sessions without a JWT library.
"""
