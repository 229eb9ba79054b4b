"""Fixtures of generation: what transformers' logits processors do to scores, and what `generate` answers with them.

Run: python scripts/parity/generation.py, after weights.py, whose folders it reads (needs torch, transformers)
"""

import torch
from transformers import AutoModelForCausalLM, GenerationConfig
from transformers.generation.logits_process import LogitsProcessorList

from common import FIXTURES, numbers, wave, write

ROWS, VOCAB = 3, 24
IDS = [[1, 5, 5, 9], [0, 23, 2, 2], [7, 7, 7, 7]]
EOS = [3, 7]

# By the option's name in transformers; the last ones show the order.
PROCESSORS = [
    {"repetition_penalty": 1.7},
    {"repetition_penalty": 0.6},
    {"min_new_tokens": 2},
    {"temperature": 0.7},
    {"temperature": 2.5},
    {"top_k": 5},
    {"top_k": 100},
    {"top_p": 0.8},
    {"top_p": 0.05},
    {"top_p": 0.0},
    {"min_p": 0.2},
    {"min_p": 1.0},
    {"temperature": 1.9, "top_k": 9, "top_p": 0.9, "min_p": 0.11},
    {"repetition_penalty": 1.4, "min_new_tokens": 1, "temperature": 0.8, "top_k": 12, "top_p": 0.85, "min_p": 0.05},
]  # fmt: skip

PROMPTS = [[1, 5, 3, 9], [37], [4, 10, 28, 6, 9, 13, 5], [19, 2]]
NEW_TOKENS = 24
PAD = 2  # transformers penalises the padding as well: a token whose score does not matter in these answers
ANSWERS = {
    "single": [{"repetition_penalty": 1.3}, {"repetition_penalty": 0.8}, {"eos_token_id": [3, 12]}],
    "tied": [
        {"eos_token_id": [1, 14]},
        {"eos_token_id": [1, 14], "min_new_tokens": 6},
        {"repetition_penalty": 1.2, "eos_token_id": 10, "min_new_tokens": 3},
    ],
}  # fmt: skip


def model_of(folder):
    return AutoModelForCausalLM.from_pretrained(FIXTURES / "folders" / folder, dtype=torch.float32).eval()


def processed(model, options):
    """Rows of scores through the list that `generate` would use for these options."""
    config = GenerationConfig(do_sample=True, eos_token_id=EOS, **{"top_k": 0, **options})
    model._prepare_special_tokens(config, device="cpu")
    processors: LogitsProcessorList = model._get_logits_processor(config, input_ids_seq_length=len(IDS[0]))
    scores = processors(torch.tensor(IDS), wave([ROWS, VOCAB], 3.0))
    return {"options": options, "scores": [None if value == -float("inf") else value for value in numbers(scores)]}


def answers(model, options):
    """Each prompt alone, and all padded on the left: the same, and without near-ties that rounding could decide."""

    def run(prompts):
        width = max(map(len, prompts))
        padded = torch.tensor([[PAD] * (width - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        settings = {"eos_token_id": None, **options}
        result = model.generate(
            padded, attention_mask=mask, do_sample=False, max_new_tokens=NEW_TOKENS, pad_token_id=PAD,
            output_scores=True, return_dict_in_generate=True, **settings,
        )  # fmt: skip
        eos = settings["eos_token_id"]
        ends = eos if isinstance(eos, list) else [eos]
        rows = []
        for tokens in result.sequences[:, width:].tolist():
            length = next((i + 1 for i, token in enumerate(tokens) if token in ends), len(tokens))
            rows.append(tokens[:length])
        return rows, result.scores

    alone = []
    for prompt in PROMPTS:
        [tokens], scores = run([prompt])
        for step in scores:
            first, second = step[0].topk(2).values.tolist()
            assert first - second > 1e-3, f"{options}: near-tie, choose others"
        alone.append(tokens)
    batch, _ = run(PROMPTS)
    assert batch == alone, f"{options}: padding changes an answer, choose another PAD"
    return {"options": options, "answers": alone}


def first_token(model):
    """The probabilities of the token after the first prompt."""
    with torch.no_grad():
        logits = model(torch.tensor(PROMPTS[:1])).logits[0, -1]
    return {"prompt": PROMPTS[0], "temperature": 0.8, "probabilities": numbers((logits / 0.8).softmax(-1))}


models = {folder: model_of(folder) for folder in ANSWERS}
write("generation", {
    "scores": {"shape": [ROWS, VOCAB], "scale": 3.0},
    "ids": IDS,
    "eos": EOS,
    "processors": [processed(models["single"], options) for options in PROCESSORS],
    "prompts": PROMPTS,
    "maxNewTokens": NEW_TOKENS,
    "answers": {name: [answers(models[name], options) for options in each] for name, each in ANSWERS.items()},
    "firstToken": first_token(models["single"]),
})  # fmt: skip
