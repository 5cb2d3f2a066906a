"""The installer's web page, over an access point of the board's own: a phone instead of a serial cable up a pole.

Imported when the page is switched on, and forgotten when it goes off. An image without this folder has no page, and the
agent says so. Why not microdot: it takes more than all of this, without sessions, captive portal or bounds (see
README.md).
"""
