/** Damaged adapter_config.json and adapter weights. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { copyFolder, damageFile, replace } from "../folders.mjs";
import { sameJson } from "../mutate.mjs";
import { judgeInput, parity, wrong } from "../product.mjs";
import { logitsOf, sameNumbers } from "./modelUse.mjs";
import { damage } from "./safetensors.mjs";

const CONFIG = "adapter_config.json";
const WEIGHTS = "adapter_model.safetensors";
const KEYS = [
  "r",
  "lora_alpha",
  "target_modules",
  "exclude_modules",
  "layers_to_transform",
  "layers_pattern",
  "rank_pattern",
  "alpha_pattern",
  "modules_to_save",
  "use_dora",
  "use_rslora",
  "bias",
  "fan_in_fan_out",
  "peft_type",
  "init_lora_weights",
  "base_model_name_or_path",
  "ensure_weight_tying",
  "lora_bias",
];

export default {
  name: "adapters",
  share: 3,
  batch: 60,
  minimum: 2000,
  async open() {
    const adapters = [{ model: parity("score", "model"), adapter: parity("score", "adapter") }];
    const { adapters: listed } = safely(() => JSON.parse(readFileSync(parity("adapters.json"), "utf8"))) ?? {};
    for (const name of readdirSync(parity("adapters"))) {
      const base = listed?.[name]?.base ?? listed?.[name]?.model;
      for (const model of [base && parity("folders", base), parity("folders", "single"), parity("folders", "tied")].filter(
        Boolean,
      ))
        adapters.push({ model, adapter: parity("adapters", name) });
    }
    const usable = [];
    for (const each of adapters) {
      try {
        usable.push({ ...each, right: await logitsOf(each.model, each.adapter) });
      } catch {
        // not an adapter of that model
      }
    }
    return { usable };
  },
  async make(random, folder, { usable }) {
    const { model, adapter: source, right } = random.of(usable);
    const adapter = copyFolder(source, join(folder, "adapter"));
    const names = [CONFIG, WEIGHTS, adapter];
    const command = ["generate", "--model", model, "--adapter", adapter, "--prompt", "x", "--max-new-tokens", "2"];
    const edit = random.weighted([
      [8, "config"],
      [3, "weights"],
      [1, "other"],
      [1, "same"],
    ]);
    let note;
    if (edit === "config") note = damageFile(random, join(adapter, CONFIG), { keys: KEYS });
    else if (edit === "weights") note = damage(random, join(adapter, WEIGHTS));
    else if (edit === "other") {
      const other = random.of(usable).adapter;
      const name = random.of([CONFIG, WEIGHTS]);
      replace(join(adapter, name), readFileSync(join(other, name)));
      note = `${name} of ${other}`;
    } else {
      replace(join(adapter, CONFIG), sameJson(random, JSON.parse(readFileSync(join(source, CONFIG), "utf8"))));
      note = "the same JSON, written differently";
    }
    return {
      note: `${source}: ${note}`,
      names: [...names, model], // the model's folder may have no tokenizer
      command,
      run: async () => {
        const found = await logitsOf(model, adapter);
        if (edit === "same" && !sameNumbers(found, right)) return wrong("other logits from the same adapter");
      },
    };
  },
  judge: judgeInput,
};

function safely(read) {
  try {
    return read();
  } catch {
    return undefined;
  }
}
