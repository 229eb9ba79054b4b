"""Traces of 20 training steps: TRL's DPOTrainer in fp32 on CPU, and DPOP in plain PyTorch float64.

Run: python scripts/parity/traces.py          writes test/parity/trl/
     python scripts/parity/traces.py noise    prints how far each trace is from the same run in another precision
(needs torch, transformers, peft, trl, datasets)

Written:
  model/        config.json, model.safetensors: a random Llama in fp32, untied, grouped queries
  adapter/      a fresh LoRA adapter (B is 0) of all linear layers, as PEFT saves it
  continued/    the same with B filled: an adapter that training goes on with, and whose start is the reference
  pairs.json    {"train": rows, "eval": rows}, a row being [prompt ids, chosen ids, rejected ids]
  traces.json   {"versions", "common", "trl": traces, "dpop": traces}; read by test/parity/trl/fixture.ts

A trace: {"name", "adapter": null (all weights train), "adapter" or "continued", "settings": what it has besides
"common", both with the names of DPOConfig, "log": {metric: one value per step}, "eval": the same per evaluation,
without `eval_`}. The metrics are all of TRL's but those of run time, to 8 digits and more. With accumulation, its
entropy, logits/* and mean_token_accuracy are plain means of the micro-batches' token means. Rows come in their order,
10 steps an epoch, evaluations in one batch. Reference log-probs are computed beside the policy's, as TRL does by default.
In the first step all log-ratios are exactly 0; DPOP's are never within 1e-4 of 0 afterwards.
"""

import json
import sys
import tempfile
from functools import partial

import numpy
import peft
import torch
import torch.nn.functional as F
import transformers
import trl
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, get_scheduler
from transformers.models.llama.modeling_llama import LlamaRMSNorm
from transformers.trainer_callback import PrinterCallback
from transformers.utils import logging
from trl import DPOConfig, DPOTrainer

from common import FIXTURES, sort_targets

FOLDER = FIXTURES / "trl"
FLOOR = 0.1
PAD, BOS, EOS, VOCAB = 0, 1, 2, 64
CONFIG = {
    "vocab_size": VOCAB, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "pad_token_id": PAD, "bos_token_id": BOS,
    "eos_token_id": EOS, "tie_word_embeddings": False, "initializer_range": 0.25,
}  # fmt: skip
TARGETS = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]
LORA = {"r": 4, "lora_alpha": 16, "lora_dropout": 0.0, "task_type": "CAUSAL_LM", "target_modules": TARGETS}

COMMON = {
    "max_steps": 20, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 1, "learning_rate": 2e-3,
    "lr_scheduler_type": "linear", "optim": "adamw_torch", "max_grad_norm": 1.0, "weight_decay": 0.0, "beta": 0.1,
    "bf16": False, "gradient_checkpointing": False, "train_sampling_strategy": "sequential", "logging_steps": 1,
}  # fmt: skip
LORA_RATE = 1e-2

LOSSES = {
    "sigmoid": {"loss_type": "sigmoid"},
    "ipo": {"loss_type": "ipo"},
    "hinge": {"loss_type": "hinge"},
    "robust": {"loss_type": "robust", "label_smoothing": 0.1},
    "apo_zero": {"loss_type": "apo_zero"},
    "sppo_hard": {"loss_type": "sppo_hard"},
    "sigmoid_norm": {"loss_type": "sigmoid_norm"},
    "nca_pair": {"loss_type": "nca_pair"},
    "exo_pair": {"loss_type": "exo_pair", "label_smoothing": 1e-3},
    "discopop": {"loss_type": "discopop"},
}
OTHERS = {
    "two losses": {"loss_type": ["sigmoid", "sft"], "loss_weights": [0.7, 0.3]},
    "ld_alpha": {"loss_type": "sigmoid", "ld_alpha": 0.4},
    "js_divergence": {"loss_type": "sigmoid", "f_divergence_type": "js_divergence"},
    "accumulation": {"loss_type": "sigmoid", "per_device_train_batch_size": 2, "gradient_accumulation_steps": 2},
    "weighting": {"loss_type": "sigmoid", "use_weighting": True},
    "evaluation": {"loss_type": "sigmoid", "eval_strategy": "steps", "eval_steps": 5, "per_device_eval_batch_size": 10},
    "decay": {"loss_type": "sigmoid", "lr_scheduler_type": "cosine", "warmup_steps": 5, "weight_decay": 0.1,
              "max_grad_norm": 0.3},
}
CASES = [
    *((name, adapter, settings) for name, settings in LOSSES.items() for adapter in (None, "adapter")),
    *((name, "adapter", settings) for name, settings in OTHERS.items()),
    *((name, None, OTHERS[name]) for name in ["accumulation", "evaluation", "decay"]),
    ("continued", "continued", LOSSES["sigmoid"]),
]  # fmt: skip
DPOP = {"loss_type": "dpop", "beta": 0.3, "dpop_lambda": 50.0, "dpop_tolerance": 0.0}


def make_folders():
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**CONFIG)).float()
    model.save_pretrained(FOLDER / "model")
    (FOLDER / "model" / "generation_config.json").unlink()
    for name in ["adapter", "continued"]:
        torch.manual_seed(1)
        adapted = get_peft_model(load_base(torch.float32), LoraConfig(**LORA))
        if name == "continued":
            with torch.no_grad():
                for key, parameter in adapted.named_parameters():
                    if "lora_B" in key:
                        parameter.normal_(0, 0.05)
        adapted.peft_config["default"].base_model_name_or_path = "small/trl"
        adapted.save_pretrained(FOLDER / name, save_embedding_layers=False)
        (FOLDER / name / "README.md").unlink(missing_ok=True)
        sort_targets(FOLDER / name)


def make_pairs(count, random):
    """Prompts of 4 to 12 tokens, some of them twice; answers of 3 to 11, some pairs of which begin alike."""

    def tokens(low, high):
        return random.integers(EOS + 1, VOCAB, size=random.integers(low, high)).tolist()

    rows = []
    for i in range(count):
        prompt = rows[-1][0] if i % 4 == 1 else [BOS, *tokens(3, 12)]
        start = tokens(1, 4) if i % 3 == 0 else []
        rows.append([prompt, [*start, *tokens(2, 8), EOS], [*start, *tokens(2, 8), EOS]])
    return rows


def load_base(dtype):
    model = AutoModelForCausalLM.from_pretrained(FOLDER / "model", dtype=dtype)
    if dtype == torch.float64:
        for module in model.modules():
            if isinstance(module, LlamaRMSNorm):
                module.forward = partial(normalise, module)
    return model


def normalise(norm, hidden):
    """LlamaRMSNorm.forward without its rounding to float32."""
    return F.rms_norm(hidden, hidden.shape[-1:], norm.weight, norm.variance_epsilon)


def load(adapter, dtype):
    model = load_base(dtype)
    if adapter:
        model = PeftModel.from_pretrained(model, FOLDER / adapter, is_trainable=True).to(dtype)
    return model


class Trainer(DPOTrainer):
    """Rows come as token ids, which TRL would make of text."""

    def _prepare_dataset(self, dataset, *_):
        return dataset


def dataset(rows):
    return Dataset.from_list([dict(zip(("prompt_ids", "chosen_ids", "rejected_ids"), row)) for row in rows])


def tokenizer():
    """TRL asks it for the id to pad with, and for nothing else."""
    vocab = {f"<{i}>": i for i in range(VOCAB)}
    words = Tokenizer(models.WordLevel(vocab, unk_token="<3>"))
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<0>", bos_token="<1>", eos_token="<2>")


def trl_trace(adapter, settings, pairs, dtype=torch.float32):
    with tempfile.TemporaryDirectory() as folder:
        args = DPOConfig(
            output_dir=folder, use_cpu=True, report_to="none", save_strategy="no", disable_tqdm=True,
            **{**COMMON, **settings},
        )  # fmt: skip
        trainer = Trainer(
            model=load(adapter, dtype), ref_model=None if adapter else load_base(dtype), args=args,
            train_dataset=dataset(pairs["train"]), processing_class=tokenizer(),
            eval_dataset=dataset(pairs["eval"]) if args.eval_strategy != "no" else None,
        )  # fmt: skip
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    timed = ("runtime", "per_second")
    history = [{k: v for k, v in line.items() if not k.endswith(timed)} for line in trainer.state.log_history]
    evaluations = [{k.removeprefix("eval_"): v for k, v in line.items()} for line in history if "eval_loss" in line]
    steps = [line for line in history if "loss" in line]
    return columns(steps), columns(evaluations) if evaluations else None


def columns(lines):
    return {key: [line[key] for line in lines] for key in lines[0]}


def answer_logp(model, prompt, answer):
    """Sum of log p over the answer's tokens; each sequence alone, so that policy and reference round alike."""
    logits = model(torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1]
    return F.log_softmax(logits, -1).gather(1, torch.tensor(answer)[:, None]).sum()


def logps(model, rows):
    """Of chosen and rejected answers, [rows, 2]."""
    return torch.stack([torch.stack([answer_logp(model, row[0], answer) for answer in row[1:]]) for row in rows])


def dpop_trace(adapter, settings, pairs, dtype=torch.float64):
    """Mean over pairs of -log sigmoid(beta (rho_w - rho_l - lambda max(0, -rho_w))), arXiv 2402.13228, Eq. 3."""
    settings = {**COMMON, **settings}
    beta, weight, steps = (settings[key] for key in ("beta", "dpop_lambda", "max_steps"))
    size = settings["per_device_train_batch_size"]
    model, reference = load(adapter, dtype), load(adapter, dtype)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=settings["learning_rate"], weight_decay=settings["weight_decay"])
    scheduler = get_scheduler(settings["lr_scheduler_type"], optimizer, num_warmup_steps=0, num_training_steps=steps)
    lines = []
    for step in range(steps):
        rows = [pairs["train"][(step * size + i) % len(pairs["train"])] for i in range(size)]
        policy = logps(model, rows)
        with torch.no_grad():
            start = logps(reference, rows)
        chosen, rejected = (policy - start).T  # rho_w, rho_l, [pairs]
        # Exactly at the kink at first, and far from it afterwards: otherwise rounding would decide what is penalised.
        assert chosen.abs().min() > 1e-4 if step else not chosen.any()
        penalty = torch.relu(-chosen)
        loss = -F.logsigmoid(beta * (chosen - rejected - weight * penalty)).mean()
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(trained, settings["max_grad_norm"])
        margins = chosen - rejected
        metrics = {
            "loss": loss, "grad_norm": norm,
            "rewards/chosen": beta * chosen.mean(), "rewards/rejected": beta * rejected.mean(),
            "rewards/accuracies": (margins > 0).double().mean(), "rewards/margins": beta * margins.mean(),
            "logps/chosen": policy[:, 0].mean(), "logps/rejected": policy[:, 1].mean(),
            "dpop/penalty_mean": penalty.mean(), "dpop/penalty_active": (penalty > 0).double().mean(),
        }  # fmt: skip
        epoch = (step + 1) * size / len(pairs["train"])
        line = {"learning_rate": scheduler.get_last_lr()[0], "epoch": epoch, "step": step + 1}
        lines.append({key: value.item() for key, value in metrics.items()} | line)
        optimizer.step()
        scheduler.step()
    return columns(lines), None


def runs():
    """Group, name, adapter, settings besides COMMON, what runs it, its dtype and another, significant digits stored."""
    for name, adapter, settings in CASES:
        yield "trl", name, adapter, {**rate(name, adapter), **settings}, trl_trace, (torch.float32, torch.float64), 8
    for adapter in (None, "adapter"):
        yield "dpop", "dpop", adapter, {**rate("dpop", adapter), **DPOP}, dpop_trace, (torch.float64, torch.float32), 10


def rate(name, adapter):
    """Such that rewards reach about 1. Discopop's steep blend blows rounding up, beyond 1e-4 at the others' rates."""
    usual = LORA_RATE if adapter else COMMON["learning_rate"]
    return {"learning_rate": usual / 4 if name == "discopop" else usual}


def rounded(log, digits):
    return log and {key: [float(f"{v:.{digits}g}") if isinstance(v, float) else v for v in log[key]] for key in log}


def write(pairs):
    traces = {"trl": [], "dpop": []}
    for group, name, adapter, settings, run, (dtype, _), digits in runs():
        log, evaluations = run(adapter, settings, pairs, dtype)
        trace = {"name": name, "adapter": adapter, "settings": settings, "log": rounded(log, digits)}
        traces[group].append(trace | ({"eval": rounded(evaluations, digits)} if evaluations else {}))
    versions = {package.__name__: package.__version__.split("+")[0] for package in (torch, transformers, peft, trl)}
    write_lines("pairs.json", pairs)
    write_lines("traces.json", traces, {"versions": versions, "common": COMMON})


def write_lines(name, lists, head={}):
    """JSON with one line for each row or trace."""
    entries = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    for key, items in lists.items():
        rows = ",\n".join(json.dumps(item, separators=(",", ":")) for item in items)
        entries.append(f"{json.dumps(key)}: [\n{rows}\n]")
    path = FOLDER / name
    path.write_text("{\n" + ",\n".join(entries) + "\n}\n")
    print(f"{name}: {path.stat().st_size / 1024:.1f} kB")


def print_noise(pairs):
    """Largest |a - b| / max(|b|, FLOOR) over a metric's values; test/parity/trl/fixture.ts has the same floor."""
    for _, name, adapter, settings, run, dtypes, _ in runs():
        (log, evaluations), (other, other_evaluations) = (run(adapter, settings, pairs, dtype) for dtype in dtypes)
        noise = {}
        for one, two, prefix in [(log, other, ""), (evaluations or {}, other_evaluations or {}, "eval_")]:
            for key, values in one.items():
                noise[prefix + key] = max(abs(a - b) / max(abs(b), FLOOR) for a, b in zip(values, two[key]))
        worst = sorted(noise.items(), key=lambda item: -item[1])[:3]
        print(f"{name}, {adapter or 'all weights'}:", ", ".join(f"{key} {value:.1e}" for key, value in worst))


torch.set_num_threads(1)
logging.set_verbosity_error()
logging.disable_progress_bar()
random = numpy.random.default_rng(0)
PAIRS = {"train": make_pairs(40, random), "eval": make_pairs(10, random)}
if sys.argv[1:] == ["noise"]:
    print_noise(PAIRS)
else:
    make_folders()
    write(PAIRS)
