"""A table of a million rows and 50 columns, and how long pandas' C reader takes for it.

    python pandas_read.py write big.csv [ROWS]     writes the table
    python pandas_read.py read big.csv             reads it and tells seconds and peak memory

    cargo run --release -p barun-data --example read_table big.csv [MIB]     reads it with barun
"""

import resource
import sys
import time

import numpy as np
import pandas as pd


def write(path, rows):
    """46 columns of numbers, one of counts, two of words, and a target that the numbers decide."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=46)
    with open(path, "w") as file:
        for first in range(0, rows, 50_000):
            n = min(50_000, rows - first)
            x = rng.normal(size=(n, 46))
            columns = {f"x{i}": np.round(x[:, i], 6) for i in range(46)}
            columns["count"] = rng.integers(0, 1000, n)
            columns["port"] = rng.choice(["Kiel", "Riga", "Turku", "Oslo"], n)
            columns["flag"] = rng.choice(["yes", "no"], n)
            columns["y"] = np.round(x @ weights / 7 + 0.1 * rng.normal(size=n), 6)
            pd.DataFrame(columns).to_csv(file, index=False, header=first == 0)


def read(path):
    begin = time.perf_counter()
    table = pd.read_csv(path, engine="c")
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"pandas {pd.__version__}: {table.shape[0]} rows x {table.shape[1]} columns in {seconds:.2f} s, {peak:.0f} MiB at most")


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 1_000_000)
    else:
        read(sys.argv[2])
