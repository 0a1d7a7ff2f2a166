#!/usr/bin/env python3
"""Adds files and lines to a backtrace that a program printed where its symbols were not.

    backtrace.py PROGRAM.debug [TRACE]

TRACE is what `RUST_BACKTRACE=full` printed (default: standard input). PROGRAM.debug is what symbols.sh took out of the very same program.
Needs addr2line and nm (binutils).

A program is loaded at another address each time, but always at a multiple of the page size. So the last digits of an address and the name of
its function tell where in the file the address is, and all frames together tell where the program was loaded.
"""

import re
import subprocess
import sys
from collections import Counter

PAGE = 4096
# "   3:     0x55d0c8a7b123 - gristmill::main::h0123456789abcdef"
FRAME = re.compile(r"^\s*(\d+):\s+0x([0-9a-f]+) - (.+?)\s*$")
HASH = re.compile(r"::h[0-9a-f]{16}$")


def functions(debug):
    """Start and size of each function, by name without hash."""
    listed = subprocess.run(["nm", "--demangle", "--print-size", "--defined-only", debug], capture_output=True, text=True, check=True)
    found = {}
    for line in listed.stdout.splitlines():
        parts = line.split(" ", 3)
        if len(parts) == 4 and parts[2] in "tTwW":
            found.setdefault(HASH.sub("", parts[3]), []).append((int(parts[0], 16), int(parts[1], 16)))
    return found


def load_address(frames, known):
    """The address at which most frames agree that the program was loaded; none where no frame is the program's."""
    votes = Counter()
    for address, name in frames:
        for start, size in known.get(HASH.sub("", name), []):
            # Offsets into the function that leave a multiple of the page size.
            for offset in range((address - start) % PAGE, size, PAGE):
                votes[address - start - offset] += 1
    return max(votes, key=votes.get) if votes else None


def sources(debug, places):
    """Files and lines of addresses in the file, the innermost inlined call first."""
    asked = [hex(place) for place in places]
    told = subprocess.run(["addr2line", "--addresses", "--inlines", "--exe", debug, *asked], capture_output=True, text=True, check=True)
    found = {}
    for line in told.stdout.splitlines():
        if line.startswith("0x"):
            lines = found.setdefault(int(line, 16), [])
        elif not line.startswith("??"):
            lines.append(line)
    return found


def main(debug, trace):
    lines = trace.read().splitlines()
    frames = [(int(found[2], 16), found[3]) for found in map(FRAME.match, lines) if found]
    if not frames:
        sys.exit("backtrace.py: no frame with an address in it: print it with `RUST_BACKTRACE=full`")
    known = functions(debug)
    base = load_address(frames, known)
    if base is None:
        sys.exit(f"backtrace.py: no function of the backtrace is in {debug}: is it of the same build?")
    end = max(start + size for places in known.values() for start, size in places)
    # A frame's address is behind its call. Others than the program's own are of libraries.
    own = [address - base - 1 for address, _ in frames if 0 < address - base <= end]
    found = sources(debug, own)
    for line in lines:
        print(line)
        if frame := FRAME.match(line):
            for source in found.get(int(frame[2], 16) - base - 1, []):
                print(f"             at {source}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    try:
        if len(sys.argv) == 3:
            with open(sys.argv[2], encoding="utf-8") as file:
                main(sys.argv[1], file)
        else:
            main(sys.argv[1], sys.stdin)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"backtrace.py: {getattr(error, 'stderr', None) or error}")
