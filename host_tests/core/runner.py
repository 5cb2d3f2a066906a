"""Runs the test functions of one core test file on MicroPython, and says how each one ended.

Usage: micropython -X heapsize=… runner.py FIRMWARE_DIR CORE_DIR MODULE
Prints one line per test, `@ok NAME` or `@failed NAME`, a traceback before the latter, and
`@end HIGH_WATER_BYTES` at last. host_tests/test_core_on_micropython.py turns these into pytest results.
"""

import gc
import sys


def run(module_name):
    module = __import__(module_name)
    most = 0
    for name in sorted(dir(module)):
        if not name.startswith("test_"):
            continue
        gc.collect()
        try:
            getattr(module, name)()
            print("@ok " + name)
        except Exception as error:  # noqa: BLE001 -- every failure must be reported under its own name
            sys.print_exception(error, sys.stdout)
            print("@failed " + name)
        most = max(most, gc.mem_alloc())
    print("@end %d" % most)


if __name__ == "__main__":
    sys.path[:0] = [sys.argv[1], sys.argv[2]]
    run(sys.argv[3])
