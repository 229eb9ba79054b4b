"""Which keys the configurations of TRL, transformers, axolotl and LLaMA-Factory have, for test/cli/configKeys.test.ts.

Run with trl 1.16 and transformers 5.24 installed, and the unpacked wheels of axolotl 0.19.0 and llamafactory 0.9.5:

    python scripts/parity/config.py AXOLOTL_FOLDER LLAMAFACTORY_FOLDER
"""

import ast
import dataclasses
import json
import sys
from enum import Enum
from pathlib import Path

import transformers
import trl
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK
from transformers.trainer_utils import SchedulerType
from transformers.training_args import OptimizerNames

OUT = Path(__file__).parents[2] / "test" / "cli" / "configKeys.json"


def default(field):
    if field.default is not dataclasses.MISSING:
        value = field.default
    elif field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    else:
        return None
    return value.value if isinstance(value, Enum) else value


def fields(folder, classes):
    """The annotated fields of classes in Python files, which need not be importable."""
    found = set()
    for file in sorted(Path(folder).rglob("*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef) and classes(file, node.name):
                for each in node.body:
                    if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                        found.add(each.target.id)
                        # Pydantic's alias is what a file says.
                        call = each.value
                        for keyword in getattr(call, "keywords", []):
                            if keyword.arg == "alias":
                                found.add(keyword.value.value)
    return sorted(found)


def axolotl(folder):
    mixed_in = ast.parse((Path(folder) / "axolotl/utils/schemas/config.py").read_text())
    [config] = [node for node in mixed_in.body if isinstance(node, ast.ClassDef) and node.name == "AxolotlInputConfig"]
    names = {"AxolotlInputConfig", "LoraConfig", "PeftConfig"} | {base.id for base in config.bases}
    schemas = fields(Path(folder) / "axolotl/utils/schemas", lambda _, name: name in names)
    integrations = fields(Path(folder) / "axolotl/integrations", lambda file, name: file.name == "args.py" and name.endswith("Args"))
    return sorted({*schemas, *integrations, "swanlab_project", "use_swanlab"})


def llama_factory(folder):
    return fields(Path(folder) / "llamafactory/hparams", lambda _, name: "Argument" in name and not name.startswith("Evaluation"))


trl_classes = [trl.DPOConfig, trl.ModelConfig, trl.ScriptArguments, trl.DatasetMixtureConfig]
OUT.write_text(
    json.dumps(
        {
            "versions": {"trl": trl.__version__, "transformers": transformers.__version__, "axolotl": "0.19.0", "llamafactory": "0.9.5"},
            "trl": {field.name: default(field) for each in trl_classes for field in dataclasses.fields(each)},
            "axolotl": axolotl(sys.argv[1]),
            "llamaFactory": llama_factory(sys.argv[2]),
            "optim": [each.value for each in OptimizerNames],
            "report_to": sorted(INTEGRATION_TO_CALLBACK),
            "lr_scheduler_type": [each.value for each in SchedulerType],
        },
        indent=1,
        sort_keys=True,
    )
    + "\n"
)
