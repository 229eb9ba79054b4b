"""Fixtures of the losses: TRL's own loss code, from logits to the gradient towards them, in float64.

DPOTrainer._compute_loss runs whole on a stub of the trainer, with two fixed tables of logits for policy and reference.
Its models answer with log-probs, which TRL's fused head makes in float32; here they come from the logits in float64.
CPO, SimPO and ORPO run the loss functions of the experimental trainers. Each case holds the configuration by
createLoss's names, the loss, and its gradient towards the logit of every label.

Run: python scripts/parity/losses.py (needs torch, trl)
"""

import inspect
import textwrap
from collections import defaultdict
from contextlib import nullcontext
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from trl.experimental.cpo.cpo_trainer import CPOTrainer
from trl.experimental.orpo.orpo_trainer import ORPOTrainer
from trl.trainer import dpo_trainer

from common import numbers, wave, write

# Rows 0 to 2 are chosen, 3 to 5 rejected answers of 3 pairs.
VOCABULARY, LENGTH = 5, 8
COMPLETIONS = [(3, 5), (1, 5), (2, 1), (2, 3), (3, 5), (4, 2)]  # first place and number of tokens
IDS = [[(3 * row + 2 * place + row * place) % VOCABULARY for place in range(LENGTH)] for row in range(6)]
MASK = [[int(first <= place < first + count) for place in range(LENGTH)] for first, count in COMPLETIONS]
ids, mask = torch.tensor(IDS), torch.tensor(MASK)

policy_logits = wave([6, LENGTH, VOCABULARY], 3, 1, torch.float64)
reference_logits = wave([6, LENGTH, VOCABULARY], 3, 2, torch.float64)


def float64_compute_loss():
    """TRL's method, whose alpha divergence knows no float64, taught it."""
    source = textwrap.dedent(inspect.getsource(dpo_trainer.DPOTrainer._compute_loss))
    for old, new in [
        ("torch.float32: 80.0}", "torch.float32: 80.0, torch.float64: 80.0}"),
        ("t_chosen.float()", "t_chosen"),
        ("t_rejected.float()", "t_rejected"),
    ]:
        assert source.count(old) == 1
        source = source.replace(old, new)
    exec(source, vars(dpo_trainer))
    return dpo_trainer._compute_loss


dpo_trainer.disable_gradient_checkpointing = lambda *_: nullcontext()
dpo_trainer.is_peft_model = lambda _: False
compute_loss = float64_compute_loss()


def fused_head(logits):
    """What TRL's fused head answers for these logits (trl.trainer.utils.FusedCausalLMOutput), `[rows, places - 1]` each."""
    log_p = logits[:, :-1].log_softmax(-1)
    scored = mask[:, 1:].bool()
    return SimpleNamespace(
        log_probs=log_p.gather(-1, ids[:, 1:, None]).squeeze(-1) * scored, entropy=-(log_p.exp() * log_p).sum(-1) * scored,
        log_sum_sq_probs=(2 * log_p).logsumexp(-1) * scored, mean_logits=logits[:, :-1].mean(-1) * scored,
        is_top1=(log_p.argmax(-1) == ids[:, 1:]) & scored,
    )  # fmt: skip


def gradient(loss, logits):
    """Towards the logit of each completion token, row after row."""
    (grad,) = torch.autograd.grad(loss, logits)
    return numbers(grad[:, :-1].gather(-1, ids[:, 1:, None]).squeeze(-1)[mask[:, 1:].bool()], 10)


def dpo(lossType, beta, lossWeights=None, labelSmoothing=0.0, fDivergenceType="reverse_kl", fAlphaDivergenceCoef=0.5,
        discopopTau=0.05, ldAlpha=None, useWeighting=False):  # fmt: skip
    logits = policy_logits.clone().requires_grad_()
    types = [lossType] if isinstance(lossType, str) else lossType
    accelerator = SimpleNamespace(device="cpu", gather=lambda x: x, gather_for_metrics=lambda x: x)
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=True), ref_model=lambda **_: fused_head(reference_logits),
        accelerator=accelerator, args=SimpleNamespace(gradient_checkpointing_kwargs=None, discopop_tau=discopopTau),
        aux_loss_enabled=False, precompute_ref_logps=False, ld_alpha=ldAlpha, beta=beta, label_smoothing=labelSmoothing,
        f_divergence_type=fDivergenceType, f_alpha_divergence_coef=fAlphaDivergenceCoef, use_weighting=useWeighting,
        loss_types=types, loss_weights=lossWeights or [1.0] * len(types),
        _metrics=defaultdict(lambda: defaultdict(list)), _total_train_tokens=0, _tp_size=1,
    )  # fmt: skip
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "completion_mask": mask}
    loss = compute_loss(trainer, lambda **_: fused_head(logits), inputs, False)
    metrics = {name: values[0] for name, values in trainer._metrics["train"].items() if name.startswith(("rewards", "logps"))}
    return loss, logits, metrics


def cpo(lossType, beta, simpoGamma=0.5, cpoAlpha=None, labelSmoothing=0.0):
    """cpoAlpha is spelt out in each case: TRL's default is 1 for simpo too."""
    logits = policy_logits.clone().requires_grad_()
    trainer = SimpleNamespace(
        alpha=0.0, beta=beta, simpo_gamma=simpoGamma, label_smoothing=labelSmoothing,
        loss_type="simpo" if lossType == "simpo" else "sigmoid", accelerator=SimpleNamespace(device="cpu"),
    )  # fmt: skip
    labels = torch.where(mask.bool(), ids, -100)
    log_probs = CPOTrainer.get_batch_logps(logits, labels, average_log_prob=lossType == "simpo")
    losses, chosen, rejected = CPOTrainer.cpo_loss(trainer, log_probs[:3], log_probs[3:])
    cross_entropy = chosen_cross_entropy(logits, labels)
    metrics = rewards(chosen, rejected) | ({"nll_loss": cross_entropy.item()} if cpoAlpha else {})
    return losses.mean() + cpoAlpha * cross_entropy, logits, metrics


def orpo(lossType, beta):
    """With the cross-entropy over the answer: TRL's takes in the prompt."""
    logits = policy_logits.clone().requires_grad_()
    labels = torch.where(mask.bool(), ids, -100)
    log_probs = ORPOTrainer.get_batch_logps(logits, labels, average_log_prob=True)
    trainer = SimpleNamespace(beta=beta, accelerator=SimpleNamespace(device="cpu"))
    single, torch.Tensor.float = torch.Tensor.float, torch.Tensor.double
    ratios, chosen, rejected, log_odds_ratio, log_odds_chosen = ORPOTrainer.odds_ratio_loss(trainer, log_probs[:3], log_probs[3:])
    torch.Tensor.float = single
    cross_entropy = chosen_cross_entropy(logits, labels)
    metrics = {"nll_loss": cross_entropy, "log_odds_ratio": log_odds_ratio, "log_odds_chosen": log_odds_chosen}
    metrics = {name: value.item() for name, value in metrics.items()}
    return cross_entropy - ratios.mean(), logits, rewards(chosen, rejected) | metrics


def chosen_cross_entropy(logits, labels):
    return F.cross_entropy(logits[:3, :-1].flatten(0, 1), labels[:3, 1:].flatten())


def rewards(chosen, rejected):
    return {"rewards/chosen": chosen.mean().item(), "rewards/rejected": rejected.mean().item()}


def case(run, **config):
    config = {"beta": 0.1, **config}
    loss, logits, metrics = run(**config)
    metrics = {name: float(f"{value:.10g}") for name, value in metrics.items()}
    return {"config": config, "loss": numbers(loss, 12)[0], "metrics": metrics, "gradient": gradient(loss, logits)}


NO_OPTIONS = ["sigmoid", "hinge", "ipo", "nca_pair", "robust", "bco_pair", "sppo_hard", "aot", "aot_unpaired",
              "apo_zero", "apo_down", "discopop", "sft", "sigmoid_norm"]  # fmt: skip
SMOOTHED = ["robust", "exo_pair", "aot", "aot_unpaired"]
DIVERGING = ["sigmoid", "sigmoid_norm", "hinge", "ipo", "exo_pair", "robust", "discopop"]
DIVERGENCES = [("forward_kl", 0.5), ("js_divergence", 0.5), ("alpha_divergence", 0.5), ("alpha_divergence", 2.0), ("alpha_divergence", 1.0)]
MPO = {"lossType": ["sigmoid", "bco_pair", "sft"], "lossWeights": [0.8, 0.2, 1.0]}

cases = [case(dpo, lossType=name, beta=beta) for name in NO_OPTIONS for beta in (0.1, 0.7)]
cases += [case(dpo, lossType=name, labelSmoothing=share) for name in SMOOTHED for share in (1e-3, 0.3)]
cases += [case(dpo, lossType="discopop", discopopTau=0.8)]
cases += [
    case(dpo, lossType=name, fDivergenceType=kind, fAlphaDivergenceCoef=alpha, labelSmoothing=0.1 if name in SMOOTHED else 0.0)
    for name in DIVERGING for kind, alpha in DIVERGENCES
]  # fmt: skip
cases += [case(dpo, **MPO), case(dpo, lossType=["sigmoid", "sft"]), case(dpo, lossType="aot", lossWeights=[0.5])]
cases += [case(dpo, lossType=name, ldAlpha=0.4) for name in ["sigmoid", "ipo", "sigmoid_norm", "sppo_hard", "sft"]]
cases += [case(dpo, **MPO, ldAlpha=0.0)]
cases += [case(dpo, lossType=name, useWeighting=True) for name in ["sigmoid", "ipo", "nca_pair", ["sigmoid", "apo_zero"]]]
cases += [case(dpo, lossType="sigmoid", useWeighting=True, ldAlpha=0.4)]
cases += [case(cpo, lossType="cpo", beta=0.3, cpoAlpha=alpha, labelSmoothing=share) for alpha, share in [(1.0, 0.0), (0.0, 0.2)]]
cases += [
    case(cpo, lossType="simpo", beta=2.0, simpoGamma=gamma, cpoAlpha=alpha, labelSmoothing=share)
    for gamma, alpha, share in [(0.5, 0.0, 0.0), (1.375, 1.0, 0.0), (0.5, 0.3, 0.1)]
]  # fmt: skip
cases += [case(orpo, lossType="orpo", beta=beta) for beta in (0.1, 1.0)]

write("losses", {
    "ids": IDS,
    "mask": MASK,
    **{f"case {i}": one for i, one in enumerate(cases)},
})  # fmt: skip
