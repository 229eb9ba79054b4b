"""Small Llama folders as transformers saves them, what it answers for them, and a check of folders saved by smaug.

Run: python scripts/parity/weights.py               writes test/parity/folders/ and test/parity/weights.json
     python scripts/parity/weights.py check FOLDER  loads what scripts/parity/folders.mjs saved, compares the logits
(needs torch, transformers)
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from common import FIXTURES, fill_with_waves, numbers, write

BASE = {
    "vocab_size": 40, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "bos_token_id": 1,
    "eos_token_id": None, "rope_parameters": {"rope_type": "default", "rope_theta": 500.0},
}  # fmt: skip

# Differences from BASE, the dtype in the file, the largest shard, and whether config.json is of transformers 4.
FOLDERS = {
    "single": ({}, torch.float32, "5GB", False),
    "sharded": ({"attention_bias": True, "mlp_bias": True, "num_key_value_heads": 1}, torch.float32, "9KB", True),
    "tied": ({"tie_word_embeddings": True, "head_dim": 6}, torch.bfloat16, "5GB", False),
    "tied-sharded-old": ({"tie_word_embeddings": True}, torch.float16, "5KB", True),
}

IDS = torch.tensor([[1, 5, 33, 0, 10, 7], [14, 4, 9, 2, 38, 6]])
PROMPTS = [[1, 5, 3, 9], [37], [4, 10, 28, 6, 9, 13, 5], [19, 2]]
NEW_TOKENS = 24


def to_old_generation(path):
    """What transformers 4 wrote: rope_theta, rope_scaling and torch_dtype."""
    config = json.loads(path.read_text())
    config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
    config["rope_scaling"] = None
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.46.0"
    path.write_text(json.dumps(dict(sorted(config.items())), indent=2) + "\n")


def save(name):
    changes, dtype, shard, old = FOLDERS[name]
    folder = FIXTURES / "folders" / name
    shutil.rmtree(folder, ignore_errors=True)
    model = fill_with_waves(LlamaForCausalLM(LlamaConfig(**BASE | changes)), 0.6).to(dtype)
    model.save_pretrained(folder, max_shard_size=shard)
    (folder / "generation_config.json").unlink()
    if old:
        to_old_generation(folder / "config.json")
    return folder


def answers(folder):
    """Logits, and greedy answers to each prompt on its own. Refuses near-ties, which rounding could decide."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    greedy = []
    for prompt in PROMPTS:
        result = model.generate(
            torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long), do_sample=False,
            max_new_tokens=NEW_TOKENS, pad_token_id=0, output_logits=True, return_dict_in_generate=True,
        )  # fmt: skip
        for logits in result.logits:
            first, second = logits[0].topk(2).values.tolist()
            assert first - second > 1e-3, f"{folder.name}: near-tie, choose another scale"
        greedy.append(result.sequences[0, len(prompt):].tolist())
    with torch.no_grad():
        return {"logits": numbers(model(IDS).logits), "greedy": greedy}


def check(folder):
    """Every folder beside its logits.json: same tensors asked for and found, and the same logits."""
    paths = sorted(Path(folder).glob("models/*/logits.json"))
    assert paths, f"scripts/parity/folders.mjs has saved nothing in {folder}"
    for path in paths:
        expected = json.loads(path.read_text())
        model, info = AutoModelForCausalLM.from_pretrained(
            path.parent, dtype=torch.float32, output_loading_info=True
        )
        assert not any(info.values()), f"{path.parent.name}: {info}"
        with torch.no_grad():
            logits = model(torch.tensor(expected["ids"])).logits.flatten()
        difference = (logits - torch.tensor(expected["logits"])).abs().max().item()
        saved = json.loads((path.parent / "config.json").read_text())
        dtype = saved.get("dtype") or saved["torch_dtype"]
        print(f"{path.parent.name}: saved as {dtype}, largest difference of a logit {difference:.1e}")
        assert difference <= 2e-4


if __name__ == "__main__" and sys.argv[1:2] == ["check"]:
    check(sys.argv[2])
elif __name__ == "__main__":
    write("weights", {
        "ids": IDS.tolist(),
        "prompts": PROMPTS,
        "maxNewTokens": NEW_TOKENS,
        "folders": {name: answers(save(name)) for name in FOLDERS},
    })  # fmt: skip
