"""The table of OCPP block H in the README: each requirement, in short, with the tests that prove it.

`python -m tools.block_h` prints it; `--write` puts it between its marks in README.md. A test proves a requirement when
its docstring begins with the id. host_tests/test_readme.py fails when the table in the README is not this one.
"""

import argparse
import ast
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BEGIN, END = "<!-- block H: made by `python -m tools.block_h --write` -->", "<!-- end of block H -->"

# OCPP 2.0.1 Edition 3 with the errata of 2025-09, which added H02.FR.03 to .06. Ids that are missing do not exist.
REQUIREMENTS = {
    "H01.FR.01": "not configured to reserve: `Rejected`",
    "H01.FR.02": "same id: the new reservation replaces the old one",
    "H01.FR.03": "unknown id: `Accepted` if an EVSE could be reserved",
    "H01.FR.04": "any EVSE: `Accepted` while one can be spared",
    "H01.FR.06": "by connector type: `Accepted` while one can be spared",
    "H01.FR.07": "any EVSE: one stays usable for the token all the time",
    "H01.FR.09": "by connector type: one of that type stays usable all the time",
    "H01.FR.11": "targets Reserved or Occupied: `Occupied`",
    "H01.FR.12": "targets Faulted: `Faulted`",
    "H01.FR.14": "targets Unavailable: `Unavailable`",
    "H01.FR.15": "the transaction of the reserved token carries `reservationId`",
    "H01.FR.16": "EVSE becomes Faulted: cancelled, `Removed` is sent",
    "H01.FR.17": "EVSE becomes Unavailable: cancelled, `Removed` is sent",
    "H01.FR.18": "`NonEvseSpecific` true: reservations without EVSE accepted",
    "H01.FR.19": "`NonEvseSpecific` absent or false: those `Rejected`",
    "H01.FR.20": "as many reservations as free EVSEs: all of these Reserved",
    "H01.FR.23": "a named EVSE: all its connectors Reserved",
    "H01.FR.24": "as many reservations of a type as free EVSEs with it: all of these Reserved",
    "H02.FR.01": "cancel of an unknown id: `Rejected`",
    "H02.FR.02": "cancel of a known id: cancelled, `Accepted`",
    "H02.FR.03": "cancelled: anybody may charge there again",
    "H02.FR.04": "cancelled: each connector of that EVSE Available",
    "H02.FR.05": "cancelled without EVSE: all EVSEs not reserved are open",
    "H02.FR.06": "cancelled without EVSE: these EVSEs' connectors Available",
    "H03.FR.01": "the reserved token may charge at its EVSE",
    "H03.FR.02": "the reserved token may charge at an EVSE with its connector type",
    "H03.FR.03": "the reserved token may charge at any EVSE",
    "H03.FR.04": "a token of the reserved group may, at the EVSE",
    "H03.FR.05": "a token of the reserved group may, at the connector type",
    "H03.FR.06": "a token of the reserved group may, anywhere",
    "H03.FR.07": "the group MAY come from a local list or cache (this station has none yet)",
    "H03.FR.08": "the group is asked for with AuthorizeRequest",
    "H03.FR.09": "a matching token consumes the reservation when it is presented",
    "H03.FR.10": "then Available without cable, Occupied with one",
    "H04.FR.01": "time is up: `Expired` is sent",
    "H04.FR.02": "time is up: anybody may charge there again",
    "H04.FR.03": "time is up: all connectors of that EVSE Available",
}


def proofs():
    """{requirement id: [(file relative to host_tests, test name)]} by the docstrings of all tests."""
    found = {}
    for path in sorted((ROOT / "host_tests").glob("**/test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
                head = (ast.get_docstring(node) or "").partition(":")[0]
                for requirement in re.findall(r"\bH0\d\.FR\.\d\d\b", head):
                    found.setdefault(requirement, []).append((str(path.relative_to(ROOT / "host_tests")), node.name))
    return found


def table():
    """The table as Markdown: up to two tests for each requirement, and how many more there are."""
    found = proofs()
    lines = ["| id | the station | proven by |", "| --- | --- | --- |"]
    for requirement, text in REQUIREMENTS.items():
        tests = found.get(requirement, [])
        shown = ", ".join(f"`{name}`" for _, name in tests[:2])
        more = f" and {len(tests) - 2} more" if len(tests) > 2 else ""
        lines.append(f"| {requirement} | {text} | {shown + more or '**nothing**'} |")
    return "\n".join(lines)


def in_readme():
    """The table that stands in the README now."""
    return README.read_text().partition(BEGIN)[2].partition(END)[0].strip()


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    if parser.parse_args(argv).write:
        before, _, rest = README.read_text().partition(BEGIN)
        README.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}")
    else:
        print(table())


if __name__ == "__main__":
    main()
