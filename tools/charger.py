"""A virtual charger against any CSMS: Holdfast on a virtual board, its serial console on this terminal or pipe.

    python -m tools.charger --url ws://host:port/path --id NAME [--config FILE] [--image FILE] [--exit-at-eof]

On a terminal every key goes to the board, Ctrl-C too (it leads to the MicroPython REPL); Ctrl-] ends the charger.
On a pipe each line is a console command; after the last one the charger goes on until Ctrl-C, or ends (--exit-at-eof).
"""

import argparse
import json
import os
import re
import signal
import sys
import tempfile
import termios
import time
import tty

from tools import image
from tools.virtual_board import BoardError, VirtualBoard

QUIT_KEY = b"\x1d"  # Ctrl-], as in mpremote
LAST_ANSWERS = 10  # seconds that --exit-at-eof waits for the answers to the last commands


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.charger", description=__doc__.split("\n")[0])
    parser.add_argument("--url", required=True, help="of the CSMS; the id is appended when it dials")
    parser.add_argument("--id", required=True, help="station id")
    parser.add_argument("--config", help="config.json to start from, e.g. with a password or other EVSEs")
    parser.add_argument("--tls", metavar="DIRECTORY",
                        help="for a wss:// URL: ca.pem from there; without a password station.pem and station.key too")
    parser.add_argument("--image", help="flash image to use and keep (default: a fresh one, removed afterwards)")
    parser.add_argument("--micropython", help="unix binary of MicroPython (default: $MICROPYTHON)")
    parser.add_argument("--heap", default="2M", help="its heap (default: %(default)s)")
    parser.add_argument("--exit-at-eof", action="store_true", help="end when the last command of the pipe is answered")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix="holdfast-charger-") as directory:
        path = arguments.image or os.path.join(directory, "flash.img")
        prepare(path, config(arguments), arguments.tls)
        with VirtualBoard(path, arguments.micropython, arguments.heap, listener=show) as board:
            try:
                board.power_on()
                print("# console also at %s" % board.port, file=sys.stderr)
                if sys.stdin.isatty():
                    terminal(board)
                else:
                    pipe(board, arguments.exit_at_eof)
            except KeyboardInterrupt:
                pass
            except BoardError as error:
                sys.exit("charger: %s" % error)


def config(arguments):
    """config.json as a dict: the default one, what --config says, and on top the URL and the id."""
    given = {}
    if arguments.config:
        with open(arguments.config) as file:
            given = json.load(file)
    given.update(csms_url=arguments.url, station_id=arguments.id)
    if arguments.tls:
        given["ca_certificate"] = "/ca.pem"
        if "password" not in given:
            given.update(client_certificate="/station.pem", client_key="/station.key")
    return image.make_config(given.pop("csms_url"), given.pop("station_id"), **given)


def prepare(path, settings, certificates=None):
    """Put this firmware and config.json on the image, and the files that it names in the directory `certificates`;
    what else an existing one holds stays."""
    files = image.firmware_files()
    for field in ("ca_certificate", "client_certificate", "client_key"):
        if certificates and field in settings:
            name = settings[field].strip("/")
            with open(os.path.join(certificates, name), "rb") as file:
                files[name] = file.read()
    files["config.json"] = json.dumps(settings, indent=2)
    if os.path.exists(path):
        image.update_image(path, files)
    else:
        image.build_image(path, files)


def show(data):
    """What the board prints, on standard output, as it comes; line ends as the other side of it expects them."""
    if not sys.stdout.isatty():
        data = data.replace(b"\r\n", b"\n")
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.kill(os.getpid(), signal.SIGTERM)


def terminal(board):
    """Every key to the board, until Ctrl-]."""
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        while (keys := os.read(0, 1024)) and QUIT_KEY not in keys:
            board.write(keys)
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        print()


def pipe(board, exit_at_eof):
    """Lines to the board until the pipe ends, and then until Ctrl-C or until all of them are answered."""
    commands = 0
    for line in sys.stdin.buffer:
        if line.strip():
            commands += 1
            board.write(line.strip() + b"\n")
    deadline = time.monotonic() + LAST_ANSWERS
    while not exit_at_eof:
        signal.pause()
    while len(re.findall(r"^(?:ok|error)\b", board.transcript, re.MULTILINE)) < commands:
        if time.monotonic() > deadline:
            raise BoardError("the console did not answer all commands")
        time.sleep(0.02)


if __name__ == "__main__":
    main()
