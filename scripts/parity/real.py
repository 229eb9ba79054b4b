"""Evidence from two real models as transformers runs them on the same GGUF files: logits, log-probs, greedy answers,
token ids.

Run: node scripts/fetch-weights.mjs; python scripts/parity/real.py [--logits FOLDER]
     (needs torch, transformers, accelerate, gguf, tokenizers; --logits keeps all logits of the first text)
"""

import os
import sys
from pathlib import Path

import torch
import transformers
from gguf import GGUFReader
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM

from common import numbers, write
from text import BLOCK, LINES, PIECES, blocks, fetch, lines

WEIGHTS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "smaug" / "weights"
NEW_TOKENS, PAD = 128, 0
POSITIONS, COLUMNS = 8, 48

PROMPTS = [
    "The capital of France is",
    "Once upon a time, in a village by the sea,",
    "def fibonacci(n):\n    ",
    "To make bread you need flour, water,",
    "The three laws of thermodynamics say that",
    "Question: What is 17 + 25?\nAnswer:",
    "Dear Sir or Madam,\n\nI am writing to",
    "In 1969 the first humans",
    "SELECT name, age FROM users WHERE",
    "The difference between a virus and a bacterium is",
    "Il était une fois",
    "Photosynthesis is the process by which",
    "# Installation\n\nFirst,",
    "The best way to learn a language is",
    "Water boils at 100 degrees",
    "import numpy as np\n\nx = np.array([",
    "My favourite season is autumn because",
    "Roses are red, violets are",
    "A preference model is trained on pairs of answers:",
    "The quick brown fox",
]

TEXTS = [
    "The old lighthouse keeper climbed the stairs every evening, lit the lamp, and wrote one line in his book: "
    "the weather, the ships, and what he had eaten for dinner.",
    "for (let i = 0; i < rows.length; i++) {\n  total += rows[i].price * 1.19; // with tax\n}\n",
    "12 + 30 = 42, 7 * 8 = 56, 1000 - 1 = 999, 3.14159 < 22/7",
    "El perro corre por el parque; der Hund läuft durch den Park; 犬は公園を走る。",
    "السلام عليكم 👩‍👩‍👧 🇫🇷   tabs\tand   spaces\n\n\n",
    "Yes.",
]


def smollm2_tokenizer(path):
    """SmolLM2's: digits one by one, then GPT-2's pieces; transformers' own reading of GGUF leaves the digits out."""
    fields = GGUFReader(path).fields
    tokens, merges, kinds = (fields[f"tokenizer.ggml.{key}"].contents() for key in ("tokens", "merges", "token_type"))
    vocab = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab, [tuple(merge.split(" ")) for merge in merges]))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, kinds) if kind == 3]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    return tokenizer


def gemma3_tokenizer(_):
    return Tokenizer.from_file(str(fetch("gemma3") / "tokenizer.json"))


MODELS = {"SmolLM2-135M-Instruct": smollm2_tokenizer, "gemma-3-270m": gemma3_tokenizer}


@torch.no_grad()
def greedy(model, prompts):
    """The new tokens of each prompt, end of text or not, and the smallest gap between the best two logits."""
    width = max(map(len, prompts))
    ids = torch.tensor([[PAD] * (width - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    cache, answers, gaps = None, [], []
    for _ in range(NEW_TOKENS):
        output = model(
            ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True, logits_to_keep=1
        )
        cache = output.past_key_values
        best = output.logits[:, -1].topk(2)
        gaps.append(best.values[:, 0] - best.values[:, 1])
        ids = best.indices[:, :1]
        answers.append(ids)
        mask = torch.cat([mask, mask.new_ones(len(prompts), 1)], 1)
        positions = positions[:, -1:] + 1
    return torch.cat(answers, 1).tolist(), [float(f"{gap:.3g}") for gap in torch.stack(gaps).min(0).values.tolist()]


@torch.no_grad()
def log_prob(model, ids):
    logps = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    return logps[torch.arange(len(ids) - 1), ids[1:]].sum().item()


@torch.no_grad()
def logits_of(model, ids, keep):
    logits = model(torch.tensor([ids])).logits[0]
    if keep:
        Path(keep).write_bytes(logits.numpy().tobytes())
    positions = [i * (len(ids) - 1) // (POSITIONS - 1) for i in range(POSITIONS)]
    columns = [i * (logits.shape[1] - 1) // (COLUMNS - 1) for i in range(COLUMNS)]
    return {
        "positions": positions,
        "columns": columns,
        "values": numbers(logits[positions][:, columns]),
        "argmax": logits.argmax(-1).tolist(),
        "logsumexp": numbers(logits.double().logsumexp(-1)),
    }


def evidence(name, read_tokenizer):
    file = WEIGHTS / f"{name}.gguf"
    model = AutoModelForCausalLM.from_pretrained(WEIGHTS, gguf_file=file.name, dtype=torch.float32).eval()
    tokenizer = read_tokenizer(file)
    encode = lambda text: tokenizer.encode(text).ids  # noqa: E731
    folder = sys.argv[sys.argv.index("--logits") + 1] if "--logits" in sys.argv else None
    prompts = [encode(prompt) for prompt in PROMPTS]
    texts = [encode(text) for text in TEXTS]
    answers, gaps = greedy(model, prompts)
    return {
        "prompts": prompts,
        "greedy": answers,
        "gaps": gaps,
        "texts": texts,
        "logProbs": [log_prob(model, ids) for ids in texts],
        "logits": logits_of(model, texts[0], folder and f"{folder}/{name}.logits"),
        "tokens": {
            "hard": [encode(line) for line in PIECES["hard"]],
            "blocks": blocks([encode(line) for line in lines(LINES)]),
        },
    }


if __name__ == "__main__":
    write("real", {
        "transformers": transformers.__version__,
        "block": BLOCK,
        "lines": LINES,
        "newTokens": NEW_TOKENS,
        "prompts": PROMPTS,
        "texts": TEXTS,
        **{name: evidence(name, read) for name, read in MODELS.items()},
    })  # fmt: skip
