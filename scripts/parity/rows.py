"""Fixtures for what reaches a chat template: numbers in tool calls, from JSON and Parquet, and columns as Arrow writes them.

test/parity/rows.json holds rows as JSON texts, and transformers' renderings of them after Python's
`json.loads`; test/parity/rows/*.parquet hold rows, with the renderings after pyarrow has read them.

Run: python scripts/parity/rows.py (needs transformers and pyarrow)
"""

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import transformers
from transformers.utils.chat_template_utils import _normalize_chat_messages, render_jinja_template

FOLDER = Path(__file__).resolve().parents[2] / "test" / "parity"

# Everything in a row that a template can see.
TEMPLATE = (
    "{{ tools | tojson }}\n{% for m in messages %}{{ m.role }} {{ m.tool_calls | tojson if m.tool_calls else m.content }} "
    "{{ m.score }}\n{% endfor %}{{ scale }} {{ limits }}"
)

# Written as they are: Python's json.dumps would write some of them otherwise.
NUMBERS = [
    "20.0", "1e-07", "12345678901234567890", "-0.0", "-0", "1E5", "0.1", "9007199254740993", "-9223372036854775808", "3",
    "1e400", "NaN", "-Infinity", "123456789.123456789", "1e22", "1e16", "5e-324",
]
CALL = '{"role": "assistant", "content": null, "score": %s, "tool_calls": [{"name": "set", "arguments": {"x": %s, "list": [%s, [%s]]}}]}'
ROW = (
    '{"unread": NaN, "prompt": [{"role": "user", "content": "20.0"}], "chosen": [%s], '
    '"rejected": [{"role": "assistant", "content": "1e-07"}], "tools": %s, "chat_template_kwargs": {"scale": %s, "limits": [%s]}}'
)


def json_row(number, tools_in_text):
    tools = f'[{{"name": "set", "maximum": {number}}}]'
    return ROW % (CALL % (number, number, number, number), json.dumps(tools) if tools_in_text else tools, number, number)


def rendered(row, side):
    tools = row.get("tools")
    kwargs = row.get("chat_template_kwargs") or {}
    [text], _ = render_jinja_template(
        [_normalize_chat_messages(row["prompt"] + row[side])],
        tools=json.loads(tools) if isinstance(tools, str) else tools,
        chat_template=TEMPLATE,
        **kwargs,
    )
    return text


def parquet():
    struct = pyarrow.struct(
        [
            ("half", pyarrow.float32()), ("x", pyarrow.float64()), ("n", pyarrow.int64()), ("small", pyarrow.int32()),
            ("big", pyarrow.uint64()), ("list", pyarrow.list_(pyarrow.float64())),
            ("map", pyarrow.map_(pyarrow.string(), pyarrow.float64())),
            ("structs", pyarrow.list_(pyarrow.struct([("y", pyarrow.float64()), ("k", pyarrow.int64())]))),
        ]
    )
    call = pyarrow.struct([("name", pyarrow.string()), ("arguments", struct)])
    message = pyarrow.struct(
        [("role", pyarrow.string()), ("content", pyarrow.string()), ("score", pyarrow.float64()), ("tool_calls", pyarrow.list_(call))]
    )
    messages = pyarrow.list_(message)
    kwargs = pyarrow.struct([("scale", pyarrow.float64()), ("limits", pyarrow.list_(pyarrow.int64()))])
    schema = pyarrow.schema(
        [("prompt", messages), ("chosen", messages), ("rejected", messages), ("tools", pyarrow.string()), ("chat_template_kwargs", kwargs)]
    )
    arguments = {
        "half": 0.5, "x": 20.0, "n": 9007199254740993, "small": 20, "big": 18446744073709551615, "list": [1.0, 0.1, 2.0],
        "map": [("a", 3.0), ("b", 1e-07)], "structs": [{"y": 4.0, "k": 4}, {"y": None, "k": -(2**63)}],
    }
    rows = [
        {
            "prompt": [{"role": "user", "content": "a"}],
            "chosen": [{"role": "assistant", "content": None, "score": 1.0, "tool_calls": [{"name": "set", "arguments": arguments}]}],
            "rejected": [{"role": "assistant", "content": "b", "score": 0.25}],
            "tools": tools,
            "chat_template_kwargs": {"scale": scale, "limits": [1, 2**60]},
        }
        for tools, scale in [('[{"name": "set", "maximum": 1e-07}]', 2.0), ("null", 2.0), (None, None)]
    ]
    table = pyarrow.Table.from_pylist(rows, schema=schema)
    pyarrow.parquet.write_table(table, FOLDER / "rows" / "numbers.parquet")
    read = pyarrow.parquet.read_table(FOLDER / "rows" / "numbers.parquet").to_pylist(maps_as_pydicts="strict")
    return [{side: rendered(row, side) for side in ("chosen", "rejected")} for row in read]


def columns():
    """Unread columns, columns that look like the prompt, and null answers."""
    write = lambda name, data: pyarrow.parquet.write_table(pyarrow.table(data), FOLDER / "rows" / f"{name}.parquet")
    write("unread", {"id": [1, 2], "prompt": ["a", "b"], "chosen": ["c", "d"], "rejected": ["e", "f"], "score": [0.5, 1.0]})
    write("question", {"system": ["s"], "question": ["q"], "chosen": ["c"], "rejected": ["d"]})
    write("renamed", {"question": ["q"], "good": ["c"], "bad": ["d"], "source": ["x"]})
    write("null", {"prompt": ["a", "b"], "chosen": ["c", None], "rejected": ["d", "e"]})


if __name__ == "__main__":
    (FOLDER / "rows").mkdir(exist_ok=True)
    texts = [json_row(number, tools_in_text) for number in NUMBERS for tools_in_text in (False, True)]
    rows = [{"text": text, **{side: rendered(json.loads(text), side) for side in ("chosen", "rejected")}} for text in texts]
    versions = {"transformers": transformers.__version__, "pyarrow": pyarrow.__version__}
    columns()
    fixture = {"versions": versions, "template": TEMPLATE, "rows": rows, "parquet": parquet()}
    (FOLDER / "rows.json").write_text(json.dumps(fixture, indent=1, ensure_ascii=False) + "\n")
