/** Damaged config.json and generation_config.json over whole weights. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { copyFolder, damageFile, replace } from "../folders.mjs";
import { sameJson } from "../mutate.mjs";
import { judgeInput, parity, wrong } from "../product.mjs";
import { logitsOf, sameNumbers } from "./modelUse.mjs";

/** Keys that some architecture reads. */
const KEYS = [
  "num_hidden_layers",
  "head_dim",
  "rope_scaling",
  "rope_parameters",
  "rope_theta",
  "sliding_window",
  "layer_types",
  "num_local_experts",
  "quantization_config",
  "tie_word_embeddings",
  "attention_bias",
  "mlp_bias",
  "torch_dtype",
  "dtype",
  "architectures",
  "model_type",
  "hidden_act",
  "num_key_value_heads",
  "query_pre_attn_scalar",
  "final_logit_softcapping",
  "partial_rotary_factor",
  "original_max_position_embeddings",
  "pad_token_id",
];

export default {
  name: "model configs",
  share: 3,
  batch: 60,
  minimum: 2500,
  async open() {
    const folders = readdirSync(parity("models")).map((name) => parity("models", name));
    return { folders, right: new Map() };
  },
  async make(random, folder, { folders, right }) {
    const source = random.of(folders);
    const model = copyFolder(source, join(folder, "model"));
    const config = join(model, "config.json");
    const names = ["config.json", model];
    const command = ["generate", "--model", model, "--prompt", "x", "--max-new-tokens", "2"];
    const edit = random.weighted([
      [12, "damage"],
      [1, "same"],
      [1, "other"],
    ]);
    if (edit === "same") {
      replace(config, sameJson(random, JSON.parse(readFileSync(join(source, "config.json"), "utf8"))));
      return {
        note: "the same JSON, written differently",
        names,
        command,
        run: async () => {
          if (!right.has(source)) right.set(source, await logitsOf(source));
          if (!sameNumbers(await logitsOf(model), right.get(source))) return wrong("other logits from the same configuration");
        },
      };
    }
    let note;
    if (edit === "other") {
      const other = random.of(folders);
      note = `config.json of ${other}`;
      replace(config, readFileSync(join(other, "config.json")));
    } else note = damageFile(random, config, { keys: KEYS });
    return { note: `${source}: ${note}`, names, command, run: async () => void (await logitsOf(model)) };
  },
  judge: judgeInput,
};
