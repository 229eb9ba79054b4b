"""lm-evaluation-harness's renderings of the templates in its own task files, over rows that this script makes up.

Every `doc_to_text`, `doc_to_target`, `doc_to_choice` and `description` of the package's task files that is a Jinja
template is used once; of templates that differ only in their texts, only the shortest. The columns of a row are those
that the template names; their types are found by trial.

Run: python scripts/parity/harnessTemplates.py   writes test/parity/harnessTemplates.json
(needs lm_eval 0.4.13 and its requirements, or the folder of its unpacked wheel in PYTHONPATH; jinja2, pyyaml)
"""

import ast
import itertools
import json
import random
import re
import sys
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

import yaml
from jinja2 import BaseLoader, Environment, StrictUndefined, meta, nodes

TASKS = Path(find_spec("lm_eval").submodule_search_locations[0]) / "tasks"
FIELDS = ["doc_to_text", "doc_to_target", "doc_to_choice", "description"]
OUTPUT = Path(__file__).resolve().parents[2] / "test" / "parity" / "harnessTemplates.json"

# As lm_eval/utils.py makes it; importing that would need torch and datasets.
env = Environment(loader=BaseLoader, undefined=StrictUndefined, keep_trailing_newline=True)
env.filters["regex_replace"] = lambda string, pattern, repl, count=0: re.sub(pattern, repl, string, count=count)

TEXTS = ["it's “red”.\n", "B", "Zürich, 2 km"]
TRIES = 20_000


class Loader(yaml.CSafeLoader):
    """Ignores Python functions."""


Loader.add_constructor("!function", lambda *_: None)


def strings():
    """The templates of all task files, with their field and how many files have them."""
    found = {}
    for file in sorted(TASKS.rglob("*")):
        if not file.is_file() or not (file.suffix in (".yaml", ".yml") or file.name.endswith("_yaml")):
            continue
        try:
            task = yaml.load(file.read_text(), Loader)
        except yaml.YAMLError:
            continue
        if not isinstance(task, dict):
            continue
        for field in FIELDS:
            source = task.get(field)
            if isinstance(source, str) and re.search(r"\{[{%#]", source):
                found.setdefault((field, source), []).append(file)
    return found


def shape(source):
    """A template's shape: its texts count only by their presence and the white space at their ends."""
    ends = lambda text: (text[:1].isspace(), text[-1:].isspace())  # noqa: E731
    blank = {"data": ends, "string": lambda text: len(text) > 3}
    return tuple((kind, blank[kind](value) if kind in blank else value) for _, kind, value in env.lex(source))


def names_within(tree):
    """Names of attributes and keys that the template asks for."""
    keys = {node.attr for node in tree.find_all(nodes.Getattr)}
    for node in tree.find_all(nodes.Getitem):
        if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            keys.add(node.arg.value)
    for node in tree.find_all(nodes.Keyword):
        if node.key == "attribute" and isinstance(node.value, nodes.Const):
            keys.add(str(node.value.value))
    methods = {node.node.attr for node in tree.find_all(nodes.Call) if isinstance(node.node, nodes.Getattr)}
    return sorted(keys - methods)


def constants(tree):
    """Texts that the template compares columns with or looks them up in."""
    return sorted({node.value for node in tree.find_all(nodes.Const) if isinstance(node.value, str) and node.value})


def candidates(keys, texts, turn):
    """Values that a column may have, likelier ones first."""
    text, other = TEXTS[turn], TEXTS[turn + 1]
    words = ["red", "it's blue", text, "Grün"]
    plain = [text, turn, words, True, 0.5, str(turn), "A", words[0], words[:2], [turn, 1 - turn], "['red', 'blue']"]
    record = {key: value for key, value in zip(keys, itertools.cycle([text, other, "C"]), strict=False)}
    lists = {key: words for key in keys}
    numbers = {key: turn for key in keys}
    label = {key: ["A", "B", "C", "D"] if "label" in key else words for key in keys}
    subsets = range(1, 2 ** min(len(keys), 4))
    half = [{key: (words if i >> j & 1 else text) for j, key in enumerate(keys)} for i in subsets]
    dicts = [record, lists, numbers, label, [record, record], [lists], {key: record for key in keys}, *half]
    plain += [*texts[turn : turn + 8], [text, other], [[text, other], [other, text]]]
    return plain + (dicts + [[each] for each in half] if keys else [])


def row_for(source, field, turn):
    """A row that the template can render, and the result; None if there is none."""
    tree = env.parse(source)
    values = candidates(names_within(tree), constants(tree), turn)
    names = sorted(meta.find_undeclared_variables(tree))  # this folds the tree's constants
    draw = random.Random(source)
    template = env.from_string(source)
    for attempt in range(TRIES):
        # First all texts, then mostly the likelier values.
        likely = lambda: min(int(draw.expovariate(0.15)), len(values) - 1)  # noqa: E731
        drawn = {name: values[likely() if attempt else 0] for name in names}
        # No two columns have the same text.
        row = {name: f"{name}: {value}" if value is values[0] else value for name, value in drawn.items()}
        try:
            text = template.render(**row)
            value = ast.literal_eval(text) if field == "doc_to_choice" else None
        except Exception:
            continue
        if field == "doc_to_choice" and not (isinstance(value, list) and {type(each) for each in value} == {str}):
            continue
        return {"row": row, "text": text, **({} if value is None else {"choices": value})}
    return None


def main():
    found = strings()
    shortest = {}
    for (field, source), files in found.items():
        try:
            key = (field, shape(source))
        except Exception as error:
            print(f"not a template: {files[0]}: {error}", file=sys.stderr)
            continue
        if key not in shortest or len(source) < len(shortest[key]):
            shortest[key] = source
    cases, without = [], []
    for (field, _), source in sorted(shortest.items(), key=lambda item: (FIELDS.index(item[0][0]), item[1])):
        results = [each for each in (row_for(source, field, turn) for turn in (0, 1)) if each]
        if results:
            cases.append({"field": field, "template": source, "rows": results})
        else:
            without.append((field, source))
    version = next(each.version for each in distributions() if each.metadata["Name"] in ("lm_eval", "lm-eval"))
    files = len({file for each in found.values() for file in each})
    head = {"lm_eval": version, "files": files, "templates": len(found)}
    lines = [json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases]
    OUTPUT.write_text(json.dumps(head)[:-1] + ', "cases": [\n' + ",\n".join(lines) + "\n]}\n")
    print(f"{files} files, {len(found)} templates, {len(shortest)} shapes, {len(cases)} cases, "
          f"{OUTPUT.stat().st_size / 1024:.0f} kB; no row found for {len(without)}")  # fmt: skip
    for field, source in without:
        print("no row:", field, repr(source)[:300], file=sys.stderr)


if __name__ == "__main__":
    main()
