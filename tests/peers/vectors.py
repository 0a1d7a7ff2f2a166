"""All pairs of vectors at a cosine or more by numpy, exactly: the peer of tests/benches/duplicates.rs, which starts it.

    python vectors.py VECTORS DIMENSIONS COSINE PAIRS

Reads unit vectors in single precision; each pair of blocks is multiplied once. Prints seconds, processor seconds and peak kB.
"""

import resource
import sys
import time

import numpy

BLOCK = 2048


def main():
    path, dimensions, at_least = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    started, used = time.perf_counter(), time.process_time()
    x = numpy.fromfile(path, dtype="<f4").reshape(-1, dimensions)
    with open(sys.argv[4], "w") as pairs:
        for top in range(0, len(x), BLOCK):
            for left in range(top, len(x), BLOCK):
                near = x[top : top + BLOCK] @ x[left : left + BLOCK].T >= at_least
                for i, j in zip(*near.nonzero()):
                    if top + i < left + j:
                        pairs.write(f"{top + i} {left + j}\n")
    wall, used = time.perf_counter() - started, time.process_time() - used
    print(wall, used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


main()
