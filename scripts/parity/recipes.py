"""Fixture of the paper's data recipes: invented rows in the data sets' formats, and the prompts that
lm-evaluation-harness 0.4.x makes of them.

Run: python scripts/parity/recipes.py   writes test/parity/recipes/ and test/parity/recipes.json
(needs lm_eval 0.4, datasets, pyarrow)

Written:
  recipes/ai2_arc/    as the hub lays out allenai/ai2_arc: two configurations in Parquet, an empty split
  recipes/hellaswag/  as the hub lays out Rowan/hellaswag, in Parquet; its test split has no labels
  recipes/*.jsonl     the train splits in JSON Lines
  recipes/MetaMathQA.json   a list of rows, indented, as MetaMathQA comes
  recipes.json        for each row of a train split all prompts with none, one and two examples of the other rows, and
                      the texts that the harness scores after them; for MetaMath by the harness's task GSM8K

The harness runs its own task definitions; only `datasets.load_dataset` and the draw of examples are replaced.
"""

import itertools
import json
import os
import shutil
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_CACHE"] = tempfile.mkdtemp()

import datasets
import lm_eval
from lm_eval.tasks import TaskManager

from common import FIXTURES

FOLDER = FIXTURES / "recipes"


def arc_row(name, question, texts, labels, key):
    return {"id": name, "question": question, "choices": {"text": texts, "label": list(labels)}, "answerKey": key}


ARC = [
    arc_row("A_1", "Which of these is hot?", ["ice", "fire", "snow", "rain"], "ABCD", "B"),
    arc_row("A_2", "What do cows eat?  Choose one.", ["grass", "stones", "cars"], "123", "1"),
    arc_row("A_3", "Where does a “bee” live?", ["sea", "nest", "den", "hive", "sty"], "ABCDE", "D"),
]
ARC_EASY = [arc_row("E_1", "Which is a number?", ["two", "blue", "dog", "sun"], "ABCD", "A")]


def hellaswag_row(i, activity, ctx_a, ctx_b, endings, label):
    return {
        "ind": i, "activity_label": activity, "ctx_a": ctx_a, "ctx_b": ctx_b, "ctx": f"{ctx_a} {ctx_b}".strip(),
        "endings": endings, "source_id": f"activitynet~{i}", "split": "train", "split_type": "indomain", "label": label,
    }  # fmt: skip


HELLASWAG = [
    hellaswag_row(4, "Removing ice from car", "Then, the man scrapes the snow.", "then",
                  [", he stops.", ", she sings  loudly.", ", a dog [step] swims.", ", the car flies."], "3"),
    hellaswag_row(7, "Home and Garden", "[header] How to plant a rose [title] Dig a hole. [step] Take a spade.", "",
                  ["Water it.", "[substeps] Burn it. [title] Eat it.", "Paint it.", "Sell it."], "0"),
    hellaswag_row(9, "Sharpening knives", " Two MEN are shown.", "they BOTH Élan",
                  ["sharpen.", "sleep.", "fly.", "sing."], "2"),
]  # fmt: skip
UNLABELLED = [{**row, "split": "test", "label": ""} for row in HELLASWAG[:2]]


def metamath_row(kind, query, response, original):
    return {"type": kind, "query": query, "original_question": original, "response": response}


METAMATH = [
    metamath_row(
        "GSM_AnsAug", "Ann buys 3 pens at $1.50 each and a $2 card. What does she pay?",
        "The pens are 3 * $1.50 = $4.50.\nTogether she pays $4.50 + $2 = $6.50.\n#### 6.50\nThe answer is: 6.50",
        "Ann buys 3 pens at $1.50 each and a $2 card. What does she pay?",
    ),
    metamath_row(
        "MATH_Rephrased", "What is $\\frac{1}{2}$ of $\\frac{3}{4}$, plus one eighth?",
        "Half of it is $\\frac{1}{2} \\cdot \\frac{3}{4} = \\frac{3}{8}$, and "
        "$\\frac{3}{8} + \\frac{1}{8} = \\boxed{\\frac{1}{2}}$. The answer is: \\frac{1}{2}",
        "Compute $\\frac{1}{2} \\cdot \\frac{3}{4} + \\frac{1}{8}$.",
    ),
    metamath_row(
        "GSM_SV", "A farm has 1,200 hens and sells x. 900 are left. What is x?",
        "We have 1,200 - x = 900, so x = 1,200 - 900 = 300.\n#### 300\nThe answer is: 300",
        "A farm has 1,200 hens and sells 300. How many are left?",
    ),
]


def to_parquet(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_list(rows).to_parquet(path)


def task(name, rows):
    """The harness's task with `rows` for every split."""
    splits = ("train", "validation", "test")
    loaded = datasets.DatasetDict({split: datasets.Dataset.from_list(rows) for split in splits})
    datasets.load_dataset = lambda *args, **kwargs: loaded
    return TaskManager().load_task_or_group(name)[name]


class Given:
    """Stands for the harness's sampler: the examples that are asked for."""

    def sample(self, n, eval_doc=None, **kwargs):
        return self.docs


def prompts(name, rows):
    made = task(name, rows)
    docs = list(made.training_docs())
    made.sampler = Given()
    result = []
    for i, doc in enumerate(docs):
        others = [other for other in docs if other is not doc]
        contexts = []
        for count in (0, 1, 2):
            for drawn in itertools.permutations(others, count):
                made.sampler.docs = drawn
                contexts.append(made.fewshot_context(doc, count))
        choices = made.doc_to_choice(doc) if made.config.doc_to_choice else [made.doc_to_target(doc)]
        gold = made.doc_to_target(doc) if made.config.doc_to_choice else 0
        answers = [made.config.target_delimiter + choice for choice in choices]
        result.append({"prompts": contexts, "answers": answers, "gold": gold})
    return result


def lines(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


shutil.rmtree(FOLDER, ignore_errors=True)
arc, hellaswag = FOLDER / "ai2_arc", FOLDER / "hellaswag"
to_parquet(arc / "ARC-Challenge" / "train-00000-of-00001.parquet", ARC)
datasets.Dataset.from_list(ARC).select([]).to_parquet(arc / "ARC-Challenge" / "validation-00000-of-00001.parquet")
to_parquet(arc / "ARC-Easy" / "train-00000-of-00001.parquet", ARC_EASY)
to_parquet(hellaswag / "data" / "train-00000-of-00001.parquet", HELLASWAG)
to_parquet(hellaswag / "data" / "test-00000-of-00001.parquet", UNLABELLED)
lines(FOLDER / "arc_train.jsonl", ARC)
lines(FOLDER / "hellaswag_train.jsonl", HELLASWAG)
(FOLDER / "MetaMathQA.json").write_text(json.dumps(METAMATH, indent=4, ensure_ascii=False))

questions = [{"question": row["query"], "answer": row["response"]} for row in METAMATH]
fixture = {
    "versions": {"lm_eval": lm_eval.__version__},
    "arc": prompts("arc_challenge", ARC),
    "hellaswag": prompts("hellaswag", HELLASWAG),
    "metamath": prompts("gsm8k", questions),
}
content = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in fixture.items()]
(FIXTURES / "recipes.json").write_text("{\n" + ",\n".join(content) + "\n}\n")
