"""DCScore by numpy, in blocks of rows: the peer of measure/examples/beside_numpy.rs, which starts it.

    python dcscore.py VECTORS DIMENSIONS TAU "whole rows"|"each pair once"

"whole rows" is how it is usually written; "each pair once" uses the symmetry of the kernel as ours does.
Prints the score, seconds, processor seconds and peak kB. Dot products and exponentials are in single precision, sums over them in double. Arrays are used again where numpy lets one.
"""

import resource
import sys
import time

import numpy

BLOCK = 1024


def whole_rows(x, tau):
    score = 0.0
    for start in range(0, len(x), BLOCK):
        block = x[start : start + BLOCK]
        terms = block @ x.T
        terms -= 1
        terms *= 1 / tau
        numpy.exp(terms, out=terms)
        own = terms[numpy.arange(len(block)), numpy.arange(start, start + len(block))].astype(numpy.float64)
        score += (own / terms.sum(axis=1, dtype=numpy.float64)).sum()
    return score


def each_pair_once(x, tau):
    n = len(x)
    sums = numpy.zeros(n)
    own = numpy.zeros(n)
    for top in range(0, n, BLOCK):
        rows = x[top : top + BLOCK]
        for left in range(top, n, BLOCK):
            terms = rows @ x[left : left + BLOCK].T
            terms -= 1
            terms *= 1 / tau
            numpy.exp(terms, out=terms)
            sums[top : top + BLOCK] += terms.sum(axis=1, dtype=numpy.float64)
            if left == top:
                own[top : top + BLOCK] = terms.diagonal()
            else:
                sums[left : left + BLOCK] += terms.sum(axis=0, dtype=numpy.float64)
    return (own / sums).sum()


def main():
    path, dimensions, tau, way = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    x = numpy.fromfile(path, dtype="<f4").reshape(-1, dimensions)
    started, used = time.perf_counter(), time.process_time()
    norms = numpy.sqrt(numpy.einsum("ij,ij->i", x, x, dtype=numpy.float64))
    x /= norms[:, None]
    score = (whole_rows if way == "whole rows" else each_pair_once)(x, tau)
    wall, used = time.perf_counter() - started, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(score, wall, used, peak)


main()
