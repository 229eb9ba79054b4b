"""Checks for every architecture that adapters trained by smaug load in PEFT and compute the same there.

Run: python scripts/parity/trained_adapters.py          checks every architecture with the smaug in dist/
     python scripts/parity/trained_adapters.py write    writes test/parity/trainedAdapters.json
(needs torch, transformers, peft; for the check a compiled smaug)

A check makes a tiny folder with transformers, trains it for two steps with `smaug train`, loads the result with
PEFT, and compares the log-probs of the answers with those of `smaug score`. The fixture holds what PEFT itself saves for
the same options: the entries of adapter_config.json that are not off, and the names and shapes of the tensors.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer, CONFIG_MAPPING

from common import FIXTURES, fill_with_waves, write

ROOT = FIXTURES.parents[1]
TOKENIZER = FIXTURES / "score" / "model"
SIZES = dict(vocab_size=300, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=0)  # fmt: skip
HEADS = {"head_dim": 4}
ARCHITECTURES = {
    "llama": {}, "mistral": {}, "qwen2": {}, "qwen3": HEADS, "phi3": {},
    "gemma2": {**HEADS, "sliding_window": 32}, "gemma3_text": {**HEADS, "sliding_window": 32},
    "mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2},
}  # fmt: skip
# smaug's keys and PEFT's options; phi3 has its projections fused.
OPTIONS = {
    "defaults": ([], {"target_modules": ["q_proj", "v_proj"]}),
    "all-linear": (["--lora_target_modules", "all-linear"], {"target_modules": "all-linear"}),
    "tied": (["--lora_modules_to_save", "embed_tokens", "--ensure_weight_tying", "true"],
             {"target_modules": ["q_proj", "v_proj"], "modules_to_save": ["embed_tokens"], "ensure_weight_tying": True}),
}  # fmt: skip
FUSED = (["--lora_target_modules", "qkv_proj"], {"target_modules": ["qkv_proj"]})
ROWS = [
    {"prompt": "the sky is", "chosen": " blue", "rejected": " grey, and so is the answer"},
    {"prompt": "two and two is", "chosen": " four", "rejected": " five"},
    {"prompt": "what is", "chosen": " the sum of two and two", "rejected": " the sum of two and twos"},
]


def cases():
    for architecture in ARCHITECTURES:
        for name, options in OPTIONS.items():
            if name == "tied" and architecture != "gemma2":
                continue
            yield architecture, name, FUSED if architecture == "phi3" and name == "defaults" else options


def make(architecture, folder):
    config = CONFIG_MAPPING[architecture](**SIZES, **ARCHITECTURES[architecture])
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    fill_with_waves(model, 0.5).save_pretrained(folder)
    for file in ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]:
        shutil.copy(TOKENIZER / file, folder)


def smaug(*args):
    command = ["node", str(ROOT / "dist" / "cli" / "main.js"), *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"smaug {args[0]} failed: {done.stderr}")


def log_probs(model, tokenizer):
    """For both answers of each row, the sum over the tokens after the common prefix of prompt and whole."""
    sums = []
    for row in ROWS:
        prompt = tokenizer(row["prompt"])["input_ids"]
        for answer in (row["chosen"], row["rejected"]):
            ids = tokenizer(row["prompt"] + answer + tokenizer.eos_token)["input_ids"]
            start = next((i for i, (a, b) in enumerate(zip(prompt, ids)) if a != b), min(len(prompt), len(ids)))
            with torch.no_grad():
                scores = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
            sums.append(sum(scores[i - 1, ids[i]].item() for i in range(start, len(ids))))
    return sums


def check():
    with tempfile.TemporaryDirectory() as root:
        root = Path(root)
        (root / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
        for architecture, name, (keys, _) in cases():
            base, out = root / architecture, root / f"{architecture}-{name}"
            if not base.exists():
                make(architecture, base)
            smaug("train", "--model_name_or_path", base, "--dataset_name", root / "rows.jsonl", "--use_peft", "true",
                  "--output_dir", out, "--max_steps", 2, "--learning_rate", 0.05, "--loss_type", "sigmoid",
                  "--report_to", "none", "--reference_cache", root / "cache", "--device", "cpu", *keys)  # fmt: skip
            smaug("score", "--model", out, "--data", root / "rows.jsonl", "--out", root / "scores.jsonl")
            lines = [json.loads(line) for line in (root / "scores.jsonl").read_text().splitlines()]
            ours = [line[key] for line in lines for key in ("chosen_logp", "rejected_logp")]
            bare = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
            tokenizer = AutoTokenizer.from_pretrained(out)
            before = log_probs(bare, tokenizer)
            theirs = log_probs(PeftModel.from_pretrained(bare, out).eval(), tokenizer)
            difference = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
            effect = max(abs(a - b) for a, b in zip(before, theirs, strict=True))
            print(f"{architecture:12} {name:11} largest difference {difference:.1e} nats; the adapter moves {effect:.1e}")
            assert difference < 1e-4 < effect


def saved_by_peft():
    """What PEFT writes for the same options."""
    found = {}
    for architecture, name, (_, options) in cases():
        if (architecture, name) == ("mixtral", "all-linear"):
            continue  # experts are no linear layers in transformers 5: PEFT leaves them out
        with tempfile.TemporaryDirectory() as folder:
            config = CONFIG_MAPPING[architecture](**SIZES, **ARCHITECTURES[architecture])
            model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
            adapted = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, task_type="CAUSAL_LM", **options))
            adapted.save_pretrained(folder)
            entries = json.loads((Path(folder) / "adapter_config.json").read_text())
            if isinstance(entries["target_modules"], list):
                entries["target_modules"].sort()  # they come from a set
            with safe_open(Path(folder) / "adapter_model.safetensors", "pt") as file:
                tensors = {key: file.get_slice(key).get_shape() for key in sorted(file.keys())}
            found[f"{architecture} {name}"] = {
                "config": {**config.to_diff_dict(), "dtype": "float32"}, "options": options,
                "entries": {key: value for key, value in entries.items() if value}, "tensors": tensors}  # fmt: skip
    return found


if __name__ == "__main__":
    write("trainedAdapters", saved_by_peft()) if sys.argv[1:] == ["write"] else check()
