/** Damaged YAML configurations of `smaug train`. */
import { join } from "node:path";
import { replace } from "../folders.mjs";
import { mutateText, replaceBySpecial } from "../mutate.mjs";
import { judgeInput, parity, product } from "../product.mjs";

const BASE = (folder) => `# a run
model_name_or_path: ${parity("score", "model")}
dataset_name: ${join(folder, "pairs.jsonl")}
output_dir: ${join(folder, "out")}
use_peft: true
lora_target_modules: [q_proj, v_proj]
lr_scheduler_kwargs: {num_cycles: 2}
loss_type: [dpop, sft]
loss_weights: [1.0, 0.1]
learning_rate: 1e-4
max_steps: 3
report_to: none
`;
const PIECES = [
  "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n",
  "a: &a {b: *a}\n",
  "<<: {learning_rate: 1}\n",
  "? [complex, key]\n: 1\n",
  "!!binary aGk=: 1\n",
  "seed: !!js/function 'x'\n",
  "---\nseed: 1\n",
  "...\n",
  "%YAML 1.1\n---\n",
  "seed: 1\nseed: 2\n",
  "\tseed: 1\n",
  "seed: 0x1F\n",
  "beta: .inf\n",
  "beta: .nan\n",
  "bf16: yes\n",
  "__proto__: {beta: 1}\n",
  "1: 2\n",
  "null: 1\n",
  ": 1\n",
  "seed: |\n  1\n",
  'output_dir: "a\\u0000b"\n',
  "loss_type: [dpop, [sft]]\n",
  "lora_target_modules: {a: 1}\n",
  "max_length: 1e400\n",
  "seed: 99999999999999999999\n",
  'max_steps: "3"\n',
  "learning_rate: [1]\n",
  "- a\n",
  '"\\x1b[2J": 1\n',
];

export default {
  name: "YAML configurations",
  share: 1,
  batch: 200,
  minimum: 2000,
  async make(random, folder) {
    const file = join(folder, "run.yaml");
    const base = BASE(folder);
    let made;
    if (random.chance(0.4)) {
      const lines = base.split("\n");
      const piece = random.of(PIECES);
      lines.splice(random.integer(0, lines.length), 0, piece.trimEnd());
      made = { text: lines.join("\n"), note: JSON.stringify(piece.slice(0, 60)) };
    } else made = mutateText(random, base);
    replace(file, made.bytes ?? made.text);
    const note = random.chance(0.02) ? replaceBySpecial(random, file) : made.note;
    return {
      note,
      names: ["run.yaml", "'"],
      command: ["train", file, "--print-config"],
      run: async () => {
        product("cli/train/config.js").resolveConfig([file]);
      },
    };
  },
  judge: judgeInput,
};
