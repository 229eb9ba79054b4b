"""Greedy generation with transformers, on one thread: the other side of the `generate` benchmark (generate.mjs).

Run: python scripts/bench/generate.py; for each line {"batch": 8} on standard input it answers one JSON line with the
new tokens per second of that batch (needs torch, transformers).
"""

import json
import sys
import time

import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM

# SmolLM2-135M's shape, random weights.
CONFIG = {
    "vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
    "num_attention_heads": 9, "num_key_value_heads": 3, "max_position_embeddings": 8192, "tie_word_embeddings": True,
    "bos_token_id": None, "eos_token_id": None, "pad_token_id": 0,
}  # fmt: skip
PROMPT, NEW_TOKENS = 32, 64


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**CONFIG)).eval()
    print(json.dumps({"torch": torch.__version__, "transformers": transformers.__version__}), flush=True)
    for line in sys.stdin:
        ids = torch.randint(1, CONFIG["vocab_size"], (json.loads(line)["batch"], PROMPT))
        start = time.perf_counter()
        with torch.inference_mode():
            answers = model.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=NEW_TOKENS
            )
        seconds = time.perf_counter() - start
        assert answers.shape == (len(ids), PROMPT + NEW_TOKENS)
        print(json.dumps({"tokens_per_second": len(ids) * NEW_TOKENS / seconds}), flush=True)


if __name__ == "__main__":
    main()
