"""The installer's web page, over an access point of the board's own: a phone instead of a serial cable up a pole.

Imported when the page is switched on, and forgotten when it goes off. An image without this folder has no page, and the
agent says so. It is not made with microdot, whose core alone (2.7.0) takes 11.4 kB of .mpy and 7.2 kB of heap with the
code in flash; what does its work here, http.py and server.py, takes 4.4 kB and 2.1 kB. Nor does it limit how many
connections there are, how many lines a head has, or how long a client may take.
"""
