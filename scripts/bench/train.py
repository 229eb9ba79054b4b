"""TRL's DPO step on the shape of SmolLM2-135M: the other side of train.mjs, with the same work.

Random weights, four pairs a step (prompt 192 tokens, answers 40, each within 20 %), LoRA of rank 16 on all linear layers,
two threads. `default`: TRL's defaults, with gradient checkpointing and the reference in each step. `best`: without
checkpointing and with precomputed reference.

Run: python scripts/bench/train.py default|best float32|bfloat16 [steps]; prints one JSON line with the median pairs per
second and the peak resident MiB.
"""

import contextlib
import json
import logging
import math
import random
import resource
import statistics
import sys
import tempfile
import time
import warnings

import torch
import trl
from datasets import Dataset
from peft import LoraConfig
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, TrainerCallback

VOCAB, PAIRS, PROMPT, ANSWER, THREADS = 49152, 4, 192, 40, 2


def tokenizer():
    words = Tokenizer(models.WordLevel({f"t{i}": i for i in range(VOCAB)}, unk_token="t0"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, eos_token="t1", pad_token="t2", unk_token="t0")


def dataset(steps):
    draw = random.Random(0)

    def some(mean):
        count = round(mean * draw.uniform(0.8, 1.2))
        return " ".join(f"t{draw.randrange(3, VOCAB)}" for _ in range(count))

    rows = [{"prompt": some(PROMPT) + " ", "chosen": some(ANSWER - 1), "rejected": some(ANSWER - 1)} for _ in range(steps * PAIRS)]
    return Dataset.from_list(rows)  # EOS is added to each answer


class Clock(TrainerCallback):
    def __init__(self):
        self.times = []

    def on_step_begin(self, *_, **__):
        self.start = time.perf_counter()

    def on_step_end(self, *_, **__):
        self.times.append(time.perf_counter() - self.start)


def main():
    mode, dtype = sys.argv[1], sys.argv[2]
    steps = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCAB, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
        num_key_value_heads=3, max_position_embeddings=8192, rope_theta=100000.0, tie_word_embeddings=True,
        bos_token_id=None, eos_token_id=1, pad_token_id=None,
    )
    model = LlamaForCausalLM(config).to(getattr(torch, dtype))
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        arguments = trl.DPOConfig(
            output_dir=folder, use_cpu=True, report_to="none", save_strategy="no", logging_steps=steps, disable_tqdm=True,
            per_device_train_batch_size=PAIRS, max_steps=steps, learning_rate=1e-5, bf16=dtype == "bfloat16",
            dataloader_pin_memory=False,
            **({"gradient_checkpointing": False, "precompute_ref_log_probs": True} if mode == "best" else {}),
        )
        trainer = trl.DPOTrainer(
            model=model, args=arguments, train_dataset=dataset(steps), processing_class=tokenizer(), callbacks=[clock],
            peft_config=LoraConfig(r=16, lora_alpha=32, lora_dropout=0.05, target_modules="all-linear", task_type="CAUSAL_LM"),
        )
        trainer.train()
    if any(math.isnan(line.get("loss", 0) + line.get("logps/chosen", 0)) for line in trainer.state.log_history):
        sys.exit("the run is not a number")
    print(json.dumps({
        "bench": "train", "trl": trl.__version__, "torch": torch.__version__, "mode": mode, "dtype": dtype, "steps": steps,
        "pairsPerSecond": round(PAIRS / statistics.median(clock.times[1:]), 4),
        "peakMiB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }))


if __name__ == "__main__":
    main()
