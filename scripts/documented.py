"""Lists the ATen names PyTorch documents on a page of their own, as scripts/documented.json: name -> page.

    python scripts/documented.py      (needs PyTorch; run when the pinned libtorch changes)
"""
import json
import pathlib

import torch

pages = {}
names = {name.partition("::")[2].partition(".")[0] for name in torch._C._dispatch_get_all_op_names() if name.startswith("aten::")}
for name in sorted(names):
    for prefix, module, attribute in [
        ("torch", torch, name),
        ("torch.nn.functional", torch.nn.functional, name),
        ("torch.Tensor", torch.Tensor, name),
        ("torch.linalg", torch.linalg, name.removeprefix("linalg_") if name.startswith("linalg_") else ""),
        ("torch.fft", torch.fft, name.removeprefix("fft_") if name.startswith("fft_") else ""),
    ]:
        if name.startswith("_") or not attribute or attribute not in dir(module):
            continue
        if getattr(getattr(module, attribute), "__doc__", None):
            pages[name] = f"{prefix}.{attribute}"
            break
pathlib.Path(__file__).with_name("documented.json").write_text(json.dumps(pages, indent=0) + "\n")
