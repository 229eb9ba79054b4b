"""Fixtures of preference data: TRL's own preparation of rows, and Parquet files as Arrow writes them.

Of each row test/parity/data.json holds TRL's ids, and where the longest common token prefix of the prompt and each whole
ends. TRL begins both completions at the smaller of the two places; where ours is another, `trlStart` says TRL's: there
the contract differs from TRL on purpose.

Run: python scripts/parity/data.py (needs trl, datasets; the tokenizers that scripts/parity/text.py fetches)
"""

import copy
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pyarrow
import pyarrow.parquet
import transformers
import trl
from datasets import Dataset
from transformers import AutoTokenizer
from trl.data_utils import maybe_extract_prompt
from trl.trainer.dpo_trainer import DPOTrainer

FOLDER = Path(__file__).resolve().parents[2] / "test" / "parity"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "smaug" / "tokenizers"
NAMES = ["llama2", "llama3", "qwen3", "gemma3"]


def user(content):
    return {"role": "user", "content": content}


def assistant(content):
    return {"role": "assistant", "content": content}


ASKED = [user("What is 2 + 2?")]
SYSTEM = {"role": "system", "content": "Be brief."}
TALK = [SYSTEM, user("Hi"), assistant("Hello!"), user("Grüße 👋🏽 und 你好?\n\n")]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "Weather at a place",
            "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
        },
    }
]

# Each list is one data set: TRL looks at the first row to see which keys and which kind there are.
ROWS = {
    "standard": [
        {"prompt": "Question: 2 + 2 =", "chosen": " 4", "rejected": " 5"},
        {"prompt": "The sky is", "chosen": " blue.\nReally.", "rejected": " green 👋🏽 and 你好"},
        {"prompt": "hel", "chosen": "lo there", "rejected": "met"},
        {"prompt": "Two spaces  ", "chosen": "after", "rejected": " and three"},
        {"prompt": "Line\n", "chosen": "\nmore", "rejected": "less"},
        {"prompt": "12", "chosen": "34", "rejected": "56"},
    ],
    "standard, implicit": [
        {"chosen": "The sky is blue.", "rejected": "The sky is green."},
        {"chosen": "Human: Hi\n\nAssistant: Hello", "rejected": "Human: Hi\n\nAssistant: No"},
        {"chosen": "ab", "rejected": "abc"},
        {"chosen": "Hi 👋🏽", "rejected": "Hi 👋🏿"},
        {"chosen": "one two ", "rejected": "one two three"},
    ],
    "chat": [
        {"prompt": ASKED, "chosen": [assistant("4")], "rejected": [assistant("5, I think.")]},
        {"prompt": ASKED, "chosen": [assistant("\n\n 4 \n")], "rejected": [assistant("four")]},
        {
            "prompt": [user("a"), assistant("b"), user("c")],
            "chosen": [assistant("d"), user("e"), assistant("f")],
            "rejected": [assistant("g")],
        },
    ],
    "chat, system": [{"prompt": TALK, "chosen": [assistant("Hallo!")], "rejected": [assistant("你好!")]}],
    "chat, implicit": [
        {"chosen": ASKED + [assistant("4")], "rejected": ASKED + [assistant("5")]},
        {"chosen": ASKED + [assistant("4")], "rejected": ASKED + [assistant("4"), user("?"), assistant("5")]},
    ],
    "chat, tools": [
        {"prompt": ASKED, "chosen": [assistant("4")], "rejected": [assistant("5")], "tools": json.dumps(TOOLS)}
    ],
    "chat, kwargs": [
        {
            "prompt": ASKED,
            "chosen": [assistant("4")],
            "rejected": [assistant("5")],
            "chat_template_kwargs": {"enable_thinking": False},
        }
    ],
}

# A prompt in text beside whole conversations, as UltraFeedback has it: DPOTrainer fails, another part of TRL knows it.
REPEATED = {"prompt": "What is 2 + 2?", "chosen": ASKED + [assistant("4")], "rejected": ASKED + [assistant("5")]}


def common(a, b):
    length = 0
    while length < min(len(a), len(b)) and a[length] == b[length]:
        length += 1
    return length


def prepared(tokenizer, rows):
    """Of each row [chosen ids, start, rejected ids, start], and TRL's start where it is another."""
    args = SimpleNamespace(dataset_num_proc=None, max_length=None, truncation_mode="keep_start")
    prepare = DPOTrainer._prepare_dataset
    made = prepare(SimpleNamespace(_tokenizer=tokenizer), Dataset.from_list(rows), tokenizer, args, "train")
    return [answers(tokenizer, row) for row in made]


def answers(tokenizer, row):
    # What TRL has put together: with its own prompt, and with EOS after plain answers.
    tools = row.get("tools")
    options = {"tools": json.loads(tools) if tools else None, **(row.get("chat_template_kwargs") or {})}
    result = {}

    def ids_of(part, **more):
        if isinstance(part, str):
            return tokenizer(part)["input_ids"]
        return tokenizer.apply_chat_template(part, tokenize=True, return_dict=True, **options, **more)["input_ids"]

    prompt = ids_of(row["prompt"], add_generation_prompt=True)
    trl_start = len(row["prompt_ids"])
    for side in ["chosen", "rejected"]:
        ids = ids_of(row["prompt"] + row[side])
        assert ids[trl_start:] == row[f"{side}_ids"]
        start = common(prompt, ids)
        result[side] = {"ids": ids, "start": start, **({} if start == trl_start else {"trlStart": trl_start})}
    return result


def fixture():
    made = {"rows": {name: rows for name, rows in ROWS.items()}}
    implicit = [row for name, rows in ROWS.items() if "implicit" in name for row in rows] + [REPEATED]
    made["implicit"] = [{"row": row, "parts": maybe_extract_prompt(copy.deepcopy(row))} for row in implicit]
    for name in NAMES:
        tokenizer = AutoTokenizer.from_pretrained(CACHE / f"{name}-3.7.2" / "package" / "models")
        made[name] = {}
        for kind, rows in ROWS.items():
            if kind.startswith("chat") and not tokenizer.chat_template:
                continue
            try:
                made[name][kind] = prepared(tokenizer, rows)
            except Exception as error:
                print(f"{name}, {kind}: left out, {type(error).__name__}: {error}")
    return made


def parquet():
    """Files as `datasets` lays them, and such as cannot be used."""
    folder = FOLDER / "data"
    folder.mkdir(exist_ok=True)
    talk = [
        {"prompt": ASKED, "chosen": [assistant("4")], "rejected": [assistant("5")], "score": 1},
        {
            "prompt": [user("Weather in Zürich 👋🏽?")],
            "chosen": [
                {"role": "assistant", "content": None, "tool_calls": [{"name": "weather", "days": 3}]},
                {"role": "tool", "content": "rain"},
            ],
            "rejected": [assistant("No idea.")],
            "score": 2,
        },
    ]
    plain = [{"prompt": f"{i} + 1 =", "chosen": f" {i + 1}", "rejected": f" {i + 2}"} for i in range(7)]
    table = pyarrow.Table.from_pylist(plain)
    for codec in ["none", "snappy", "gzip", "zstd", "brotli", "lz4"]:
        pyarrow.parquet.write_table(table, folder / f"plain.{codec}.parquet", compression=codec, row_group_size=3)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(talk), folder / "chat.parquet")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([{"question": "a", "answer": "b"}]), folder / "other.parquet")
    numbers = pyarrow.Table.from_pylist([{"prompt": "a", "chosen": 4, "rejected": "b"}])
    pyarrow.parquet.write_table(numbers, folder / "numbers.parquet")
    latin = pyarrow.table({"prompt": [b"a"], "chosen": [b"caf\xe9"], "rejected": [b"b"]})
    pyarrow.parquet.write_table(latin, folder / "latin.parquet")


versions = {"trl": trl.__version__, "transformers": transformers.__version__}
lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in {"versions": versions, **fixture()}.items()]
(FOLDER / "data.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
parquet()
