"""Small LoRA folders as PEFT saves them, what the model answers with them, and a check of folders saved by smaug.

Run: python scripts/parity/adapters.py               writes test/parity/adapters/ and test/parity/adapters.json
     python scripts/parity/adapters.py embeddings    writes only test/parity/adapters/embeddings*
     python scripts/parity/adapters.py check FOLDER  loads what scripts/parity/folders.mjs saved, compares the logits
(needs torch, transformers, peft; weights.py first)
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from common import FIXTURES, gradients, numbers, sort_targets, wave, write
from weights import IDS

# The base is named so that no path of the machine that made a fixture stands in it.
CONFIGS = {
    "list": {"r": 4, "lora_alpha": 6, "lora_dropout": 0.1, "target_modules": ["q_proj", "v_proj"]},
    "suffix": {"r": 2, "lora_alpha": 4, "target_modules": ["0.self_attn.k_proj", "model.layers.1.mlp.up_proj"]},
    "regex": {"r": 3, "lora_alpha": 5, "target_modules": r"model\.layers\.\d+\.(mlp\.(up|down)|self_attn\.o)_proj",
              "use_rslora": True},
    "all-linear": {"r": 2, "lora_alpha": 16, "target_modules": "all-linear"},
    "patterns": {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "k_proj", "gate_proj"],
                 "rank_pattern": {"1.self_attn.q_proj": 1, "self_attn.[qk]_proj": 2},
                 "alpha_pattern": {"^model.layers.0.mlp.gate_proj": 3, "k_proj": 10}},
    "dora": {"r": 2, "lora_alpha": 3, "target_modules": ["q_proj", "down_proj"], "use_dora": True,
             "lora_dropout": 0.2},
    "head": {"r": 2, "lora_alpha": 5, "target_modules": ["q_proj", "lm_head"]},
    "layers": {"r": 2, "lora_alpha": 4, "target_modules": ["q_proj", "up_proj", "model.layers.0.mlp.down_proj"],
               "layers_to_transform": [1], "layers_pattern": ["layers"], "exclude_modules": r".*\.up_proj"},
    "whole": {"r": 2, "lora_alpha": 4, "target_modules": ["q_proj"], "modules_to_save": ["lm_head", "norm", "v_proj"]},
    "whole-tied": {"r": 2, "lora_alpha": 4, "target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"],
                   "ensure_weight_tying": True},
    "biases": {"r": 2, "lora_alpha": 4, "target_modules": ["q_proj", "down_proj"], "bias": "all"},
    "biases-of-adapted": {"r": 2, "lora_alpha": 4, "target_modules": ["q_proj", "down_proj"], "bias": "lora_only"},
}  # fmt: skip

# The base folder is "single" unless it has to have tied embeddings, or biases.
BASES = {"whole-tied": "tied", "biases": "sharded", "biases-of-adapted": "sharded"}


# Saved with the base's embeddings in addition to the factors, as by scripts that add tokens.
EMBEDDINGS = {"embeddings": "single", "embeddings-tied": "tied"}


def base(name="single"):
    return AutoModelForCausalLM.from_pretrained(FIXTURES / "folders" / name, dtype=torch.float32).eval()


def logits(model):
    with torch.no_grad():
        return numbers(model(IDS).logits)


def save(name):
    """An adapter that does something, and the logits with it."""
    base_name = BASES.get(name, "single")
    model = get_peft_model(base(base_name), LoraConfig(task_type="CAUSAL_LM", **CONFIGS[name])).eval()
    trained = [(key, value) for key, value in sorted(model.named_parameters()) if value.requires_grad]
    with torch.no_grad():
        for phase, (key, parameter) in enumerate(trained):
            # A length of DoRA's scales a row, and a weight trained whole is one of the model's: near what they were,
            # so that the model stays a model.
            value = wave(parameter.shape, 0.4, phase + 0.5)
            near = parameter * (1 + value) if "magnitude" in key else parameter + 0.5 * value
            parameter.copy_(value if "lora_A" in key or "lora_B" in key else near)
    model.peft_config["default"].base_model_name_or_path = f"small/{base_name}"
    folder = FIXTURES / "adapters" / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    sort_targets(folder)
    (folder / "README.md").unlink(missing_ok=True)
    names = [key.removeprefix("base_model.model.") for key, _ in trained]
    adapted = [key.removesuffix(".lora_A.default.weight") for key in names if "lora_A" in key]
    whole = [own_name(key) for key in names if "lora_" not in key]
    return {"base": base_name, "adapted": adapted, "whole": whole, "logits": logits(model),
            "gradients": adapter_gradients(model), "training": training_logits(model)}  # fmt: skip


def save_with_embeddings(name):
    model = get_peft_model(base(EMBEDDINGS[name]), LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"]))
    model.peft_config["default"].base_model_name_or_path = f"small/{EMBEDDINGS[name]}"
    folder = FIXTURES / "adapters" / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, save_embedding_layers=True)
    (folder / "README.md").unlink(missing_ok=True)


def own_name(key):
    """What a weight that is trained whole is called without PEFT."""
    return key.replace(".modules_to_save.default", "").replace(".base_layer", "")


def training_logits(model):
    """With dropout, whose masks a seed gives."""
    torch.manual_seed(3)
    return logits(model.train())


def adapter_gradients(model):
    """Of the sum of logits * wave, by the names in the file, but for half of the layers."""
    output = model(IDS).logits
    (output * wave(output.shape, phase=9)).sum().backward()
    named = {own_name(key).replace(".default", ""): value for key, value in gradients(model, 5).items()}
    return {key.removesuffix("magnitude_vector.weight") + "magnitude_vector" * ("magnitude" in key): value
            for key, value in named.items() if ".0." not in key}  # fmt: skip


def largest_difference(model, expected):
    with torch.no_grad():
        answer = model(torch.tensor(expected["ids"])).logits.flatten()
    return (answer - torch.tensor(expected["logits"])).abs().max().item()


def check(folder):
    """Every adapter beside its logits.json: the same tensors, the same logits, and the same again when merged."""
    paths = sorted(Path(folder).glob("adapters/*/logits.json"))
    assert paths, f"scripts/parity/folders.mjs has saved nothing in {folder}"
    for path in paths:
        expected = json.loads(path.read_text())
        folder = json.loads((path.parent / "adapter_config.json").read_text())["base_model_name_or_path"]
        model = PeftModel.from_pretrained(base(folder.removeprefix("small/")), path.parent).eval()
        saved = load_file(path.parent / "adapter_model.safetensors")
        # PEFT also writes the head's own weight when an adapter sits on it.
        expected_names = {key for key in get_peft_model_state_dict(model) if not key.endswith("base_layer.weight")}
        assert expected_names == set(saved), path.parent.name
        beside = largest_difference(model, expected)
        merged = largest_difference(model.merge_and_unload(), expected)
        print(f"{path.parent.name}: largest difference of a logit {beside:.1e}, merged {merged:.1e}")
        assert max(beside, merged) <= 2e-4


if __name__ == "__main__" and sys.argv[1:2] == ["check"]:
    check(sys.argv[2])
elif __name__ == "__main__":
    for name in EMBEDDINGS:
        save_with_embeddings(name)
    if sys.argv[1:] == ["embeddings"]:
        sys.exit()
    bases = {name: logits(base(name)) for name in sorted({"single", *BASES.values()})}
    write("adapters", {"bases": bases, "adapters": {name: save(name) for name in CONFIGS}})
