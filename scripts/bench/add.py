"""One add of 16 floats in PyTorch's Python, result dropped: the other side of the `add` benchmark. One thread.

Run: python scripts/bench/add.py; prints one JSON line with the median microseconds per add, without and with grad.
"""

import json
import statistics
import time

import torch

ADDS, REPETITIONS = 100_000, 9


def microseconds(a, b):
    def repetition():
        start = time.perf_counter()
        for _ in range(ADDS):
            a.add(b)
        return (time.perf_counter() - start) / ADDS * 1e6

    repetition()
    return round(statistics.median(repetition() for _ in range(REPETITIONS)), 4)


def main():
    torch.set_num_threads(1)
    a, b = torch.ones(16), torch.ones(16)
    plain = microseconds(a, b)
    with_grad = microseconds(a.requires_grad_(), b)
    print(json.dumps({"bench": "add", "torch": torch.__version__, "us": plain, "usWithGrad": with_grad}))


if __name__ == "__main__":
    main()
