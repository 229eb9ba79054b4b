"""Fixture of scoring: what transformers gives for the completions of preference rows, plain and conversational.

Run: python scripts/parity/score.py   writes test/parity/score/ and test/parity/score.json
(needs torch, transformers, peft, tokenizers)

Written:
  score/model/    a random Llama in fp32 with a byte-level BPE and a chat template of its own
  score/adapter/  a LoRA adapter of it, with B filled, as PEFT saves it
  score.json      rows by kind, and for each model ("model", "adapter") and kind what every row comes to

Each answer goes through the model alone, unpadded; its completion is what follows the longest common token prefix of the
prompt and the whole. Sums are in float64.
"""

import shutil

import torch
from peft import LoraConfig, get_peft_model
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from common import FIXTURES, fill_with_waves, numbers, sort_targets, wave, write

FOLDER = FIXTURES / "score"
TEXTS = ["the sky is blue", "the answer is four", "hello there, what is the sum of two and two"]
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ m['role'][0] }}:{{ m['content'] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}a:{% endif %}"
)


def user(content):
    return {"role": "user", "content": content}


def assistant(content):
    return {"role": "assistant", "content": content}


ROWS = {
    "plain": [
        {"prompt": "the sky is", "chosen": " blue", "rejected": " grey, and so is the answer"},
        {"prompt": "two and two is", "chosen": " four", "rejected": " five"},
        {"prompt": "two and two is", "chosen": " four<eos>", "rejected": " the sum of two and two"},
        {"prompt": "the answer i", "chosen": "s four", "rejected": "n 你好"},  # the boundary falls inside a token
        {"prompt": "", "chosen": "hello there", "rejected": "hello"},
        {"prompt": "what is", "chosen": " the sum of two and two", "rejected": " the sum of two and twos"},
    ],
    "conversations": [
        {"prompt": [user("2 + 2?")], "chosen": [assistant("four")], "rejected": [assistant("five, what is the sum")]},
        {
            "prompt": [{"role": "system", "content": "the sky"}, user("is"), assistant("blue"), user("and?")],
            "chosen": [assistant("grey")],
            "rejected": [assistant("")] + [user("so?"), assistant("hello")],
        },
    ],
    "conversations without a prompt": [
        {"chosen": [user("hello"), assistant("there")], "rejected": [user("hello"), assistant("the sky is blue")]},
    ],
}


def make_model():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken(token, special=True, normalized=False) for token in ("<pad>", "<bos>", "<eos>")]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    bos = tokenizer.token_to_id("<bos>")
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", bos)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", chat_template=TEMPLATE
    )
    config = LlamaConfig(
        vocab_size=len(fast), hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=True, bos_token_id=fast.bos_token_id,
        eos_token_id=fast.eos_token_id, pad_token_id=fast.pad_token_id,
    )  # fmt: skip
    model = fill_with_waves(LlamaForCausalLM(config), 0.7).eval()
    model.save_pretrained(FOLDER / "model")
    fast.save_pretrained(FOLDER / "model")


def make_adapter():
    model = AutoModelForCausalLM.from_pretrained(FOLDER / "model", dtype=torch.float32)
    adapted = get_peft_model(model, LoraConfig(r=2, lora_alpha=4, target_modules="all-linear", task_type="CAUSAL_LM"))
    with torch.no_grad():
        for phase, (name, parameter) in enumerate(sorted(adapted.named_parameters())):
            if "lora_" in name:
                parameter.copy_(wave(parameter.shape, 0.3, phase))
    adapted.peft_config["default"].base_model_name_or_path = "score/model"
    adapted.save_pretrained(FOLDER / "adapter")
    sort_targets(FOLDER / "adapter")
    (FOLDER / "adapter" / "README.md").unlink(missing_ok=True)
    return adapted.eval()


def token_ids(tokenizer, prompt, answer):
    if isinstance(answer, str):
        whole = prompt + answer
        whole = whole if whole.endswith(tokenizer.eos_token) else whole + tokenizer.eos_token
        before, ids = tokenizer(prompt).input_ids, tokenizer(whole).input_ids
    else:
        before = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=False)
        ids = tokenizer.apply_chat_template(prompt + answer, return_dict=False)
    start = 0
    while start < min(len(before), len(ids)) and before[start] == ids[start]:
        start += 1
    return ids, start


def scored(model, tokenizer, row):
    chosen, rejected, prompt = row["chosen"], row["rejected"], row.get("prompt")
    if prompt is None:  # the first turn is the prompt of both
        prompt, chosen, rejected = chosen[:1], chosen[1:], rejected[1:]
    result = {}
    for side, answer in (("chosen", chosen), ("rejected", rejected)):
        ids, start = token_ids(tokenizer, prompt, answer)
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0, :-1].float()
        logps = logits.log_softmax(-1).gather(1, torch.tensor(ids[1:]).unsqueeze(1)).squeeze(1)[start - 1 :]
        result[f"{side}_logp"] = numbers(logps.double().sum(), 9)[0]
        result[f"{side}_tokens"] = len(logps)
        result[f"{side}_token_logps"] = numbers(logps, 8)
    return result


shutil.rmtree(FOLDER, ignore_errors=True)
make_model()
tokenizer = AutoTokenizer.from_pretrained(FOLDER / "model")
base = AutoModelForCausalLM.from_pretrained(FOLDER / "model", dtype=torch.float32).eval()
answers = {
    name: {kind: [scored(model, tokenizer, row) for row in rows] for kind, rows in ROWS.items()}
    for name, model in (("model", base), ("adapter", make_adapter()))
}
write("score", {"rows": ROWS, **answers})
