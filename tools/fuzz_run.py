"""One fuzzing process: python or micropython fuzz_run.py FIRMWARE CORE TOOLS SEED SECONDS.

Prints a line of progress now and then, and a last line `fuzz ok …` or `fuzz failed …` with what is needed to repeat
it. Memory is looked at between rounds: what the station holds after a while must not exceed what it held early on.
"""

import gc
import sys
import time

ROUNDS_BETWEEN_LOOKS = 300
GROWTH = 24 * 1024  # bytes by which two looks at a station in different moods may differ


def memory():
    """Bytes in use now; None where the interpreter cannot tell."""
    gc.collect()
    if hasattr(gc, "mem_alloc"):
        return gc.mem_alloc()
    import tracemalloc
    return tracemalloc.get_traced_memory()[0]


def main(seed, seconds):
    if not hasattr(gc, "mem_alloc"):
        import tracemalloc
        tracemalloc.start(1)
    from fuzz_engine import Fuzzer
    fuzzer = Fuzzer(seed)
    end = time.time() + seconds
    looks = []
    try:
        while time.time() < end:
            for _ in range(ROUNDS_BETWEEN_LOOKS):
                fuzzer.round()
            looks.append(memory())
            if len(looks) % 20 == 0:
                print("fuzz: %d rounds, %d bytes in use" % (fuzzer.rounds, looks[-1]))
    except Exception as error:  # noqa: BLE001 – the point of the exercise: report what the station let out, with the seed
        if hasattr(sys, "print_exception"):
            sys.print_exception(error, sys.stdout)
        else:
            import traceback
            traceback.print_exc(file=sys.stdout)
        print("fuzz failed: seed %d, round %d" % (seed, fuzzer.rounds))
        return 1
    early, late = max(looks[:max(1, len(looks) // 2)]), max(looks)
    if late > early + GROWTH:
        print("fuzz failed: seed %d, memory grew from %d to %d bytes" % (seed, early, late))
        return 1
    print("fuzz ok: seed %d, %d rounds, %d frames, %d refused, at most %d bytes in use" % (
        seed, fuzzer.rounds, fuzzer.calls, fuzzer.refused, late))
    return 0


if __name__ == "__main__":
    sys.path[:0] = sys.argv[1:4]
    sys.exit(main(int(sys.argv[4]), float(sys.argv[5])))
