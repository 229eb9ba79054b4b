"""Settings of tokenizer_config.json that change ids, as transformers' AutoTokenizer applies them.

Run: python scripts/parity/tokenizer_settings.py   writes test/parity/text/settings.json
(needs transformers, tokenizers)

Tiny tokenizers are saved with every combination of class, model type and setting. "rebuilt" marks the cases in which
transformers' ids differ from those of tokenizer.json without any setting, because it rebuilds the tokenizer from the
class. They are kept to show when a later version stops doing so.
"""

import json
import os
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import transformers  # noqa: E402
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402

from common import FIXTURES  # noqa: E402

TEXTS = ["hello world", " hello  world", "hello</s>world <s>x", "<|end|>hi", "</s>", "a <extra> b"]
CORPUS = ["hello world, hello there, a x b hi < / | > s n"] * 20
SPECIAL = ["<unk>", "<s>", "</s>", "<|end|>"]


def template(tokenizer, single):
    tokens = [(token, tokenizer.token_to_id(token)) for token in SPECIAL[1:3]]
    tokenizer.post_processor = processors.TemplateProcessing(single=single, pair=f"{single} $B", special_tokens=tokens)


def byte_level(prefix, single=None):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=280, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_tokens(["<extra>"])
    template(tokenizer, single) if single else None
    return tokenizer


def metaspace(normalized=False):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if normalized:
        steps = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        tokenizer.normalizer = normalizers.Sequence(steps)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first", split=False)
    trainer = trainers.BpeTrainer(vocab_size=60, special_tokens=SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_tokens(["<extra>"])
    template(tokenizer, "<s> $A")
    return tokenizer


TOKENIZERS = {"plain": byte_level(False), "prefixed": byte_level(True, "<s> $A </s>"),
              "ended": byte_level(False, "<s> $A </s>"), "metaspace": metaspace(),
              "prepend": metaspace(normalized=True)}  # fmt: skip
CLASSES = {
    "plain": [None, "PreTrainedTokenizerFast", "GPT2Tokenizer", "GPTNeoXTokenizerFast", "Qwen2TokenizerFast", "CohereTokenizerFast"],
    "prefixed": ["PreTrainedTokenizerFast", "GPT2TokenizerFast", "GPTNeoXTokenizer", "Qwen2Tokenizer"],
    "ended": ["PreTrainedTokenizerFast", "GPT2TokenizerFast", "GPTNeoXTokenizerFast"],
    "metaspace": [None, "PreTrainedTokenizerFast", "LlamaTokenizer", "CodeLlamaTokenizer"],
    "prepend": ["PreTrainedTokenizerFast", "LlamaTokenizerFast"],
}  # fmt: skip
MODEL_TYPES = [None, "llama", "mistral", "mixtral", "qwen2", "qwen3", "gemma2", "gemma3_text", "phi3"]
SETTINGS = [
    {}, {"split_special_tokens": True}, {"add_prefix_space": True}, {"add_prefix_space": False},
    {"add_bos_token": False, "add_eos_token": False}, {"add_bos_token": True}, {"legacy": True}, {"legacy": False},
    {"clean_up_tokenization_spaces": True},
]  # fmt: skip


def ids(name, model_type, class_name, setting):
    """None if the class does not accept the tokenizer."""
    with tempfile.TemporaryDirectory() as folder:
        TOKENIZERS[name].save(f"{folder}/tokenizer.json")
        names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
        config = {**names, **setting, **({"tokenizer_class": class_name} if class_name else {})}
        Path(folder, "tokenizer_config.json").write_text(json.dumps(config))
        if model_type:
            Path(folder, "config.json").write_text(json.dumps({"model_type": model_type}))
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder)
            return config, [tokenizer(text)["input_ids"] for text in TEXTS]
        except Exception as error:
            print(name, model_type, class_name, setting, error)
            return config, None


def main():
    transformers.logging.set_verbosity_error()
    cases = []
    for name, classes in CLASSES.items():
        own = [TOKENIZERS[name].encode(text).ids for text in TEXTS]
        for model_type in MODEL_TYPES:
            for class_name in classes:
                rebuilt = ids(name, model_type, class_name, {})[1] != own
                for setting in SETTINGS:
                    config, found = ids(name, model_type, class_name, setting)
                    # GPT-NeoX never gets BOS and EOS in transformers, here only without them when the setting says so.
                    asked = name == "ended" and "GPTNeoX" in class_name and setting.get("add_bos_token") is False
                    if found is not None:
                        cases.append({"tokenizer": name, "model_type": model_type, "config": config,
                                      "rebuilt": rebuilt and not asked, "ids": found})  # fmt: skip
    lines = [json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in merged(cases)]
    tokenizers = {name: json.loads(tokenizer.to_str()) for name, tokenizer in TOKENIZERS.items()}
    head = [json.dumps("versions") + ": " + json.dumps({"transformers": transformers.__version__}),
            json.dumps("texts") + ": " + json.dumps(TEXTS),
            json.dumps("tokenizers") + ": " + json.dumps(tokenizers, ensure_ascii=False, separators=(",", ":"))]  # fmt: skip
    path = FIXTURES / "text" / "settings.json"
    path.write_text("{\n" + ",\n".join(head) + ',\n"cases": [\n' + ",\n".join(lines) + "\n]\n}\n")
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size / 1024:.1f} kB")


def merged(cases):
    """Merges model types with the same result."""
    lines = {}
    for case in cases:
        key = json.dumps({**case, "model_type": None})
        lines.setdefault(key, {**case, "model_type": []})["model_type"].append(case["model_type"])
    return list(lines.values())


if __name__ == "__main__":
    main()
