"""Questions of ARC by the second in lm-evaluation-harness, with 25 examples before each: the Python side of eval.mjs.

python eval.py DIR   DIR as `eval.mjs make DIR` has made it. Prints one JSON line.
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import datasets
import lm_eval
import torch
from lm_eval.models.huggingface import HFLM

folder = Path(sys.argv[1])
torch.set_num_threads(1)


def rows(split):
    lines = (folder / "data" / f"{split}.jsonl").read_text().splitlines()
    return datasets.Dataset.from_list([json.loads(line) for line in lines])


datasets.load_dataset = lambda *_, **__: datasets.DatasetDict({split: rows(split) for split in ("train", "test")})
lm = HFLM(pretrained=str(folder / "model"), dtype="float32", device="cpu", batch_size=1)  # its default, and on one core its fastest
start = time.perf_counter()
found = lm_eval.simple_evaluate(lm, tasks=["arc_challenge"], num_fewshot=25)
seconds = time.perf_counter() - start
samples = found["samples"]["arc_challenge"]
likelihoods = [value for sample in samples for ((value, _),) in sample["resps"]]
print(json.dumps({"bench": "eval", "questions_per_second": len(samples) / seconds, "likelihoods": likelihoods}))
