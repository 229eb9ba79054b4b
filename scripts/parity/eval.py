"""Fixture of evaluation: what lm-evaluation-harness 0.4.x makes of small files in the benchmarks' real formats.

Run: python scripts/parity/eval.py   writes test/parity/eval/ and test/parity/eval.json
(needs torch, transformers, tokenizers, datasets, lm_eval 0.4)

Written:
  eval/model/  a Llama of 30k weights with a byte-level BPE, trained for a minute on the texts below, so that its answers
               to word problems end, and some of them match
  eval/data/   invented rows as the hub serves them: JSON Lines, JSON and Parquet
  eval/tasks/  two tasks in YAML that both sides read
  eval.json    for each task its results, and for every item the hash of its prompt, the responses and the metrics

The harness runs its own task definitions; only `datasets.load_dataset` is replaced, by one that reads the files above.
"""

import copy
import json
import os
import random
import shutil
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_DATASETS_CACHE"] = tempfile.mkdtemp()

import datasets
import lm_eval
import torch
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from common import FIXTURES, write

FOLDER = FIXTURES / "eval"
DATA = FOLDER / "data"
NAMES = ["Ann", "Bob", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hal"]
THINGS = ["apples", "books", "coins", "shells", "stamps", "cards"]
FACTS = [  # animal, food, place, sound
    ("cow", "grass", "a field", "moo"), ("cat", "fish", "a house", "meow"), ("bee", "nectar", "a hive", "buzz"),
    ("owl", "mice", "a tree", "hoot"), ("dog", "bones", "a kennel", "woof"), ("frog", "flies", "a pond", "croak"),
    ("pig", "roots", "a sty", "oink"), ("lion", "meat", "the savannah", "roar"),
]  # fmt: skip


def write_rows(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
    else:
        datasets.Dataset.from_list(rows).to_parquet(path)


def arc_rows(count, seed):
    draw = random.Random(seed)
    rows = []
    for i in range(count):
        fact = draw.choice(FACTS)
        kind = draw.randrange(3)
        question = (f"What does a {fact[0]} eat?", f"Where does a {fact[0]} live?", f"Which sound does a {fact[0]} make?")
        options = draw.sample([each[kind + 1] for each in FACTS if each is not fact], (3, 3, 2, 4)[i % 4])
        options.insert(draw.randrange(len(options) + 1), fact[kind + 1])
        labels = ["1", "2", "3", "4"] if i % 5 == 4 and len(options) == 4 else list("ABCDE")[: len(options)]
        choices = {"text": options, "label": labels}
        key = labels[options.index(fact[kind + 1])]
        rows.append({"id": f"q_{seed}_{i}", "question": question[kind], "choices": choices, "answerKey": key})
    return rows


def hellaswag_rows(count, seed):
    draw = random.Random(seed)
    rows = []
    for i in range(count):
        fact = FACTS[i % len(FACTS)]
        name = draw.choice(NAMES)
        endings = [f"[step] gives it {each[1]}." for each in draw.sample(FACTS, 4)]
        gold = draw.randrange(4)
        endings[gold] = f"gives it  {fact[1]}, and says \u201cgood {fact[0]}\u201d."
        title = " [title] How to feed it [substeps] Be calm." if i % 3 == 0 else ""
        rows.append({
            "ind": i, "activity_label": "Feeding animals", "ctx_a": f"{name} walks up to a {fact[0]}.{title}",
            "ctx_b": "then SHE" if i % 2 else "", "ctx": "", "endings": endings, "source_id": f"x~{seed}",
            "split": "train", "split_type": "indomain", "label": str(gold),
        })  # fmt: skip
    return rows


def winogrande_rows(count, seed):
    draw = random.Random(seed)
    rows = []
    for i in range(count):
        one, two = draw.sample(NAMES, 2)
        what, animal = draw.choice(THINGS), draw.choice(FACTS)[0]
        sentence = (
            f"{one} gave {what} to {two} because _ had too many.",
            f"{one} liked the {animal} more than {two} did, so _ fed it.",
        )[i % 2]
        rows.append({"sentence": sentence, "option1": one, "option2": two, "answer": "1" if i % 2 else draw.choice("12")})
    return rows


def truthfulqa_rows():
    rows = []
    for i, (animal, food, place, _) in enumerate(FACTS[:5]):
        right = [f"It eats {food}", f"A {animal} eats {food}."][: 1 + i % 2]
        wrong = [f"It eats {FACTS[(i + k) % 8][1]}" for k in (1, 2, 3)][: 1 + i % 3]
        rows.append({
            "question": f"What does a {animal} that lives in {place} eat?",
            "mc1_targets": {"choices": [right[0], *wrong], "labels": [1] + [0] * len(wrong)},
            "mc2_targets": {"choices": [*right, *wrong], "labels": [1] * len(right) + [0] * len(wrong)},
        })  # fmt: skip
    return rows


def mmlu_rows(subjects, count, seed):
    draw = random.Random(seed)
    rows = []
    for subject in subjects:
        for i in range(count + (subject == "anatomy")):
            a, b = draw.randrange(2, 9), draw.randrange(2, 9)
            choices = [str(a + b + k) for k in draw.sample(range(-1, 3), 4)]
            question = f"{subject.split('_')[0]} {i}: {a} + {b} = ? " if i % 2 else f"How much is {a} and {b}?"
            rows.append({"question": question, "subject": subject, "choices": choices, "answer": choices.index(str(a + b))})
    return rows


def gsm8k_rows(count, seed):
    draw = random.Random(seed)
    rows = []
    for _ in range(count):
        name, what, a, b = draw.choice(NAMES), draw.choice(THINGS), draw.randrange(1, 6), draw.randrange(1, 5)
        big = draw.random() < 0.2
        total, shown = (a + b) * (1000 if big else 1), str(a + b) + (",000" if big else "")
        rows.append({
            "question": f"{name} has {a}{',000' * big} {what} and gets {b}{',000' * big} more. How many {what} now?",
            "answer": f"{a} + {b} = <<{a}+{b}={a + b}>>{shown}\n#### {shown if big else total}",
        })  # fmt: skip
    return rows


def mmlu_subjects():
    folder = os.path.join(os.path.dirname(lm_eval.__file__), "tasks", "mmlu", "default")
    names = sorted(name[5:-5] for name in os.listdir(folder) if name.startswith("mmlu_"))
    assert len(names) == 57
    return names


SUBJECTS = mmlu_subjects()
ROWS = {
    "arc_challenge/ARC-Challenge/train-00000-of-00001.parquet": arc_rows(30, 1),
    "arc_challenge/ARC-Challenge/test-00000-of-00001.parquet": arc_rows(8, 2),
    "hellaswag/train.jsonl": hellaswag_rows(16, 3),
    "hellaswag/validation.jsonl": hellaswag_rows(3, 4) + hellaswag_rows(16, 3)[4:8],  # some are training rows
    "winogrande/winogrande_xl/train.jsonl": winogrande_rows(40, 5),
    "winogrande/winogrande_xl/dev.jsonl": winogrande_rows(4, 6) + winogrande_rows(40, 5)[10:14],
    "truthfulqa_mc2/validation.json": truthfulqa_rows(),
    "mmlu/all/dev-00000-of-00001.parquet": mmlu_rows(SUBJECTS, 5, 7),
    "mmlu/all/test-00000-of-00001.parquet": mmlu_rows(SUBJECTS, 2, 8),
    "gsm8k/main/train-00000-of-00001.parquet": gsm8k_rows(24, 9),
    "gsm8k/main/test-00000-of-00001.parquet": gsm8k_rows(8, 10),
}

YAMLS = {
    "animals": r"""
task: animals
task_alias: Animals
dataset_path: ../data/arc_challenge
dataset_name: ARC-Challenge
output_type: multiple_choice
training_split: train
test_split: test
num_fewshot: 4
description: "Name the thing.\n\n"
doc_to_text: |
  {{question}}
  {% if choices.text|length > 3 %}
  There are {{ choices.text|length }} choices.
  {% endif %}
  The answer ({{ choices.label | join('/') }}):
doc_to_choice: "{{choices.text}}"
doc_to_target: "{{choices.label.index(answerKey)}}"
target_delimiter: ""
fewshot_delimiter: "\n---\n"
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
  - metric: acc_norm
  - metric: acc_bytes
metadata:
  version: 2.5
""",
    "sums": r"""
task: sums
dataset_path: ../data/gsm8k
dataset_name: main
output_type: generate_until
test_split: test
fewshot_split: train
fewshot_config:
  sampler: first_n
num_fewshot: 2
doc_to_text: "Question: {{question}}\nAnswer:"
doc_to_target: "{{answer.split('#### ')[-1]}}"
generation_kwargs:
  until: ["\n\n", "####"]
  max_gen_toks: 20
  do_sample: false
filter_list:
  - name: last
    filter:
      - function: regex
        regex_pattern: "(?i)>>(-?[0-9,]+)"
        group_select: -1
        fallback: none
      - function: take_first
  - name: raw
    filter:
      - function: remove_whitespace
      - function: take_first
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
    ignore_case: true
    ignore_punctuation: true
metadata:
  version: 1.0
""",
}


def load_local(path=None, name=None, **_):
    task = {"allenai/ai2_arc": "arc_challenge", "Rowan/hellaswag": "hellaswag", "allenai/winogrande": "winogrande",
            "truthfulqa/truthful_qa": "truthfulqa_mc2", "cais/mmlu": "mmlu", "openai/gsm8k": "gsm8k"}.get(path, path.split("/")[-1])  # fmt: skip
    splits = {}
    for file, rows in ROWS.items():
        if not file.startswith(f"{task}/"):
            continue
        split = file.split("/")[-1].split(".")[0].split("-")[0]
        split = "validation" if split == "dev" and task == "winogrande" else split
        rows = [row for row in rows if task != "mmlu" or row["subject"] == name]
        splits[split] = datasets.Dataset.from_list(rows)
    return datasets.DatasetDict(splits)


def corpus():
    texts = [f"Question: {row['question']}\nAnswer: {row['answer']}\n\n" for row in gsm8k_rows(200, 11)]
    texts += [f"Question: What does a {a} eat?\nAnswer: {b}\n\n" for a, b, _, _ in FACTS]
    texts += [f"{row['sentence'].replace('_', row['option1'])}\n\n" for row in winogrande_rows(20, 12)]
    texts += [f"{row['question'].strip()}\nA. {row['choices'][0]}\nB. {row['choices'][1]}\nC. {row['choices'][2]}\n"
              f"D. {row['choices'][3]}\nAnswer: {'ABCD'[row['answer']]}\n\n" for row in mmlu_rows(SUBJECTS[:20], 1, 13)]  # fmt: skip
    return texts


def make_model():
    torch.manual_seed(0)
    texts = corpus()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken(token, special=True, normalized=False) for token in ("<pad>", "<s>", "</s>")]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    bos = tokenizer.token_to_id("<s>")
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", bos)])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    config = LlamaConfig(
        vocab_size=len(fast), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=1024, tie_word_embeddings=True, bos_token_id=fast.bos_token_id,
        eos_token_id=fast.eos_token_id, pad_token_id=fast.pad_token_id, initializer_range=0.1,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    draw = random.Random(0)
    steps = 400
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 5e-3 * (1 - step / steps)
        rows = []
        for _ in range(8):
            ids = [bos]
            while len(ids) < 161:
                ids += fast(draw.choice(texts), add_special_tokens=False).input_ids
            rows.append(ids[:161])
        ids = torch.tensor(rows)
        loss = model(ids, labels=ids).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"trained to {loss.item():.3f}")
    model.to(torch.bfloat16).save_pretrained(FOLDER / "model")
    fast.save_pretrained(FOLDER / "model")


def rounded(value):
    if isinstance(value, bool) or isinstance(value, (int, str)) or value is None:
        return value
    if isinstance(value, (list, tuple)):
        return [rounded(each) for each in value]
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return float(f"{float(value):.8g}")


def run(task, shots, limit=None, manager=None, **model_options):
    lm = HFLM(pretrained=str(FOLDER / "model"), dtype="float32", device="cpu", batch_size=1, **model_options)
    answer = lm_eval.simple_evaluate(lm, tasks=[task], num_fewshot=shots, limit=limit, task_manager=manager)
    samples = {}
    for name, items in answer["samples"].items():
        samples[name] = [
            {
                "doc_id": item["doc_id"], "filter": item["filter"], "prompt_hash": item["prompt_hash"],
                "target": item["target"], "resps": item["resps"], "filtered_resps": item["filtered_resps"],
                "metrics": {key: item[key] for key in item["metrics"]},
            }
            for item in items
        ]  # fmt: skip
        for item in samples[name]:
            if item["resps"] and isinstance(item["resps"][0][0], tuple):  # log-likelihoods: said once
                item["resps"] = [[float(value), greedy] for ((value, greedy),) in item["resps"]]
                del item["filtered_resps"]
    keys = ["results", "groups", "group_subtasks", "versions", "n-shot", "higher_is_better", "n-samples"]
    return rounded({**{key: copy.deepcopy(answer[key]) for key in keys if key in answer}, "samples": samples})


def python_random():
    random_of = lambda seed: random.Random(seed)  # noqa: E731
    rnd = random_of(1234)
    draws = [rnd.getrandbits(32) for _ in range(4)] + [rnd.getrandbits(5) for _ in range(4)]
    samples = []
    rnd = random_of(1234)
    for n, k in [(30, 25), (8, 3), (200, 5), (1000, 25), (40000, 11), (1, 1), (21, 5), (22, 5), (86, 6)]:
        samples.append({"n": n, "k": k, "drawn": rnd.sample(range(n), k)})
    shuffled = list(range(20))
    random_of(0).shuffle(shuffled)
    return {"draws": draws, "samples": samples, "shuffled": shuffled}


def contamination():
    """What detect-pretrain-code-contamination computes of an item and other ends for it, and which items it takes."""
    model = LlamaForCausalLM.from_pretrained(FOLDER / "model", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(FOLDER / "model")

    def loss(text, most=None):
        ids = tokenizer(text, truncation=most is not None, max_length=most, return_tensors="pt").input_ids
        with torch.no_grad():
            return model(ids, labels=ids).loss.item()

    rows = ROWS["gsm8k/main/test-00000-of-00001.parquet"]
    texts = [row["question"] + " " + row["answer"] for row in rows]
    random.Random(0).shuffle(texts)
    others = [texts[0][:40] + end for end in (" coins", " 5 apples #### 7", " " + "the sky is a field of grass. " * 20, texts[0][40:-1])]
    own, losses = loss(texts[0]), [loss(other, 150) for other in others]
    score = sum(each < own for each in losses) / len(losses)
    return {"texts": texts, "others": others, "own": own, "losses": losses, "score": score}


shutil.rmtree(FOLDER, ignore_errors=True)
for file, rows in ROWS.items():
    write_rows(DATA / file, rows)
(FOLDER / "tasks").mkdir()
for name, text in YAMLS.items():
    (FOLDER / "tasks" / f"{name}.yaml").write_text(text.lstrip())
make_model()
datasets.load_dataset = load_local
write(
    "eval",
    {
        "lm_eval": lm_eval.__version__,
        "python_random": python_random(),
        "contamination": rounded(contamination()),
        "arc_challenge": run("arc_challenge", 25),
        "hellaswag": run("hellaswag", 10),
        "winogrande": run("winogrande", 5),
        "truthfulqa_mc2": run("truthfulqa_mc2", None),
        "mmlu": run("mmlu", 5),
        "gsm8k": run("gsm8k", 5),
        "truncated": run("arc_challenge", 25, limit=3, max_length=100),
        "truncated_gsm8k": run("gsm8k", 5, limit=3, max_length=300),
        "animals": run("animals", None, manager=TaskManager(include_path=str(FOLDER / "tasks"))),
        "sums": run("sums", None, manager=TaskManager(include_path=str(FOLDER / "tasks"))),
        "no_shots": run("hellaswag", 0, limit=2),
    },
)
