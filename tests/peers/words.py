"""Near-duplicate questions by datasketch: the peer of tests/benches/duplicates.rs, which starts it.

    python words.py QUESTIONS PAIRS

Reads a question a line, asks about each and then inserts it, with as many bands and rows as ours, and checks each candidate by the
exact Jaccard similarity of its sets, as ours does. Writes the pairs found at .8 or more; prints seconds, processor seconds and peak kB.
"""

import re
import resource
import sys
import time

from datasketch import MinHash, MinHashLSH

BANDS, ROWS, AT_LEAST = 24, 5, 0.8


def main():
    started, used = time.perf_counter(), time.process_time()
    index = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
    empty = MinHash(num_perm=BANDS * ROWS)
    sets = []
    with open(sys.argv[1], encoding="utf-8") as questions, open(sys.argv[2], "w") as pairs:
        for row, line in enumerate(questions):
            words = re.findall(r"\w+", line.lower())
            own = {f"{a} {b}".encode() for a, b in zip(words, words[1:])}
            sketch = empty.copy()
            sketch.update_batch(own)
            for other in index.query(sketch):
                shared = len(own & sets[other])
                if shared >= AT_LEAST * (len(own) + len(sets[other]) - shared):
                    pairs.write(f"{other} {row}\n")
            sets.append(own)
            index.insert(row, sketch, check_duplication=False)
    wall, used = time.perf_counter() - started, time.process_time() - used
    print(wall, used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


main()
