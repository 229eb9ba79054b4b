/** Random settings on the command line and in YAML: a message that names the key, or a configuration. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { judgeInput, parity, product, wrong } from "../product.mjs";

const VALUES = [
  "",
  "0",
  "1",
  "-1",
  "2",
  "0.5",
  "1e308",
  "-1e308",
  "1e400",
  "NaN",
  "Infinity",
  "null",
  "true",
  "false",
  "yes",
  "x",
  "dpop",
  "sigmoid",
  "q_proj v_proj",
  "[q_proj, v_proj]",
  '{"a": 1}',
  "{",
  "[]",
  "1,2,3",
  "9007199254740992",
  "99999999999999999999",
  "-0",
  "0x10",
  "1_000",
  "٣",
  "\u001b[2J",
  "a".repeat(5000),
  "--",
  "=",
  "__proto__",
  "cuda:99",
  "linear",
  "cosine",
  "steps",
  "no",
  "epoch",
];
/** Keys whose values are places, or that make a run long: they are set to what the campaign needs. */
const FIXED = new Set([
  "model_name_or_path",
  "adapter_name_or_path",
  "ref_adapter_name_or_path",
  "dataset_name",
  "output_dir",
  "reference_cache",
  "resume_from_checkpoint",
  "max_steps",
  "num_train_epochs",
  "model_revision",
]);

/** Arguments of `smaug train` with some settings that are random. `calm` leaves out values that only make a run large. */
export function someSettings(random, { calm = false } = {}) {
  const { runArguments } = product("cli/train/arguments.js");
  const { snakeCase } = product("base/names.js");
  const keys = Object.keys(runArguments)
    .map(snakeCase)
    .filter((key) => !FIXED.has(key));
  const chosen = new Map();
  for (let count = random.integer(1, 4); count > 0; count--) {
    const key = random.chance(0.9)
      ? random.of(keys)
      : random.of([
          "learning_rat",
          "x",
          "",
          "fp16",
          "load_in_4bit",
          "deepspeed",
          "sequence_len",
          "__proto__",
          "constructor",
          "toString",
          "report_too",
        ]);
    const value = random.of(VALUES.filter((each) => !calm || !/\d{6}|e308|e400|Infinity/.test(each)));
    chosen.set(key, value);
  }
  const args = [...chosen].flatMap(([key, value]) =>
    random.of([[`--${key}`, value], [`--${key}=${value}`], [`--${key.replaceAll("_", "-")}`, value], [`--${key}`]]),
  );
  return { args, keys: [...chosen.keys()] };
}

export const base = (folder) => [
  "--model_name_or_path",
  parity("score", "model"),
  "--dataset_name",
  join(folder, "pairs.jsonl"),
  "--output_dir",
  join(folder, "out"),
  "--reference_cache",
  join(folder, "cache"),
];

export default {
  name: "settings",
  share: 1,
  batch: 200,
  minimum: 2000,
  async make(random, folder) {
    writeFileSync(join(folder, "pairs.jsonl"), '{"prompt":"a","chosen":"b","rejected":"c"}\n');
    const { args, keys } = someSettings(random);
    const all = [...base(folder), ...args];
    return {
      note: JSON.stringify(args).slice(0, 300),
      names: ["'", "--", ...keys.map((key) => `\n  ${key}: `)], // several faults are a list
      command: ["train", ...all, "--print-config"],
      run: async () => {
        const { config } = product("cli/train/config.js").resolveConfig(all);
        const bad = Object.entries(config).find(([, value]) => typeof value === "number" && Number.isNaN(value));
        if (bad) return wrong(`${bad[0]} is NaN`);
        if (Object.getPrototypeOf(config) !== Object.prototype) return wrong("the configuration has another prototype");
      },
    };
  },
  judge: judgeInput,
};
