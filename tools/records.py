"""A station's records in a file on the desk, and back: `make backup PORT=… FILE=…`, `make restore PORT=… FILE=…`.

The file is a zip: manifest.json says which station it is of, when it was made and the hash of each record. A record
goes back only if all of them are as they were written, and onto a station of the same id. What is secret stays on the
board: a password that the CSMS has set is neither saved nor replaced.

While the records change places the configuration has another name, so that no agent starts between the old ones and
the new ones, whatever happens; `make restore` again takes up where the last one ended.
"""

import argparse
import contextlib
import hashlib
import json
import os
import sys
import time
import zipfile

from tools.board_console import BoardError
from tools.board_repl import visit
from tools.image import ROOT

sys.path.insert(0, str(ROOT / "firmware"))  # the format of a record is the agent's

from holdfast.flash import unframed  # noqa: E402

FORMAT = "holdfast records 1"
RECORDS, FRESH, OLD = "/records", "/records-new", "/records-old"
CONFIG, HELD = "/config.json", "/config.held"
SECRET = "variable-SecurityCtrlr.BasicAuthPassword"
LARGEST = 4096  # bytes of a file in the archive: a record has 124


def station_id(repl):
    """The station id in the board's configuration."""
    content = repl.read(CONFIG) or repl.read(HELD)
    try:
        return json.loads(content or b"")["station_id"]
    except (ValueError, KeyError, TypeError):
        raise BoardError("the board at %s has no configuration: make provision PORT=%s" % (repl.port, repl.port))


def fetch(repl):
    """The records of a board, as {name: content}, those that are damaged too."""
    found = {}
    for name, digest in repl.tree(RECORDS).items():
        if name.startswith(SECRET) or digest is None:  # one that was damaged is as good as whole
            continue
        found[name] = repl.read("%s/%s" % (RECORDS, name))
        if hashlib.sha256(found[name]).hexdigest() != digest:
            raise BoardError("record %s arrived damaged; try again" % name)
    return found


def save(path, station, version, records):
    """Write the archive. OSError leaves none, or the one that was there."""
    manifest = {"format": FORMAT, "station_id": station, "agent": version,
                "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "records": {name: hashlib.sha256(content).hexdigest() for name, content in records.items()}}
    part = "%s.%d" % (path, os.getpid())
    with contextlib.suppress(FileNotFoundError):
        os.remove(part)
    try:
        # Tokens of drivers are in it.
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("manifest.json", json.dumps(manifest, indent=2))
                for name, content in records.items():
                    archive.writestr("records/" + name, content)
        os.replace(part, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(part)


def load(path):
    """(manifest, {name: content}) of an archive in which everything is right. Raises BoardError."""
    try:
        with zipfile.ZipFile(path) as archive:
            contents = {}
            for entry in archive.infolist():
                if entry.file_size > LARGEST and entry.filename != "manifest.json" or entry.filename in contents:
                    raise ValueError("%s is no record" % entry.filename)
                contents[entry.filename] = archive.read(entry)
        manifest = json.loads(contents.pop("manifest.json"))
        if manifest["format"] != FORMAT:
            raise ValueError("its format is %s" % manifest["format"])
        records = {name.removeprefix("records/"): content for name, content in contents.items()}
        if {name: hashlib.sha256(content).hexdigest() for name, content in records.items()} != manifest["records"]:
            raise ValueError("its records are not those that were saved")
        for name, content in records.items():
            if "/" in name or name == SECRET:
                raise ValueError("%s is no name of a record" % name)
            if not name.endswith(".bad") and content and unframed(name, content) is None:
                raise ValueError("record %s was damaged when it was saved" % name)
        return manifest, records
    except OSError as error:
        raise BoardError("%s: %s" % (path, error.strerror))
    except (ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile, RuntimeError) as error:
        raise BoardError("%s is no backup that can be restored (%s); nothing was changed" % (path, error))


def restore(repl, records):
    """Put the records in the place of those on the board; at no moment does an agent find some of both."""
    repl.run("erase(%r)" % FRESH)
    repl.mkdir(FRESH)
    for name, content in records.items():
        repl.write("%s/%s" % (FRESH, name), content)
    for place in (RECORDS, OLD):
        if repl.exists(place) and repl.exists("%s/%s" % (place, SECRET)):
            repl.run("copy(%r, %r)" % ("%s/%s" % (place, SECRET), "%s/%s" % (FRESH, SECRET)))
    arrived = repl.tree(FRESH)
    arrived.pop(SECRET, None)
    if arrived != {name: hashlib.sha256(content).hexdigest() for name, content in records.items()}:
        raise BoardError("the records did not arrive as they are, so the old ones stay; try again")
    # Each of these is one step of littlefs, all of them in one directory. A second attempt finds some done.
    if repl.exists(CONFIG):
        repl.run("os.rename(%r, %r)" % (CONFIG, HELD))
    if repl.exists(RECORDS):
        repl.run("erase(%r)" % OLD)
        repl.run("os.rename(%r, %r)" % (RECORDS, OLD))
    repl.run("os.rename(%r, %r)" % (FRESH, RECORDS))
    repl.run("os.rename(%r, %r)" % (HELD, CONFIG))
    repl.run("erase(%r)" % OLD)


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.records", description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("backup", "restore"))
    parser.add_argument("port")
    parser.add_argument("file")
    parser.add_argument("--force", action="store_true", help="even while a car is charging")
    options = parser.parse_args()
    try:
        if options.what == "restore":
            manifest, records = load(options.file)
        print("asking the board at %s" % options.port, flush=True)
        with visit(options.port, options.force) as repl:
            try:
                station = station_id(repl)
                if options.what == "backup":
                    version = repl.run("import holdfast; print(holdfast.__version__)").strip()
                    records = fetch(repl)
                    save(options.file, station, version, records)
                elif manifest["station_id"] != station:
                    raise BoardError("%s is of the station %s, and this is %s; nothing was changed"
                                     % (options.file, manifest["station_id"], station))
                else:
                    restore(repl, records)
            finally:
                repl.restart()
    except BoardError as error:
        sys.exit("%s: %s" % (options.what, error))
    except OSError as error:
        sys.exit("%s: %s: %s" % (options.what, options.file, error.strerror))
    done = "saved to" if options.what == "backup" else "restored from"
    print("%d records of %s %s %s; the board restarts" % (len(records), station, done, options.file))


if __name__ == "__main__":
    main()
