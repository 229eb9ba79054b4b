/** Damaged evaluation tasks (YAML with templates), then their prompts for a few rows. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { replace } from "../folders.mjs";
import { mutateText, replaceBySpecial } from "../mutate.mjs";
import { judgeInput, parity, product } from "../product.mjs";

const VALUES = [
  "null",
  "1",
  "-1",
  "[]",
  "{}",
  "''",
  "'{{ question }}'",
  "'{{ x.y }}'",
  "'{% for'",
  "[a]",
  "[a, b]",
  "{a: 1}",
  "true",
  "'{{ range(100000000) | list }}'",
  "'{{ choices.text[9] }}'",
  "'(a+)+$'",
  "'{{ question * 10000000 }}'",
  "nonsense",
  "!function x.y",
  "[null, 1]",
  "'{% for i in range(1000000000) %}{% endfor %}'",
];
const KEYS = [
  "task",
  "dataset_path",
  "dataset_name",
  "output_type",
  "training_split",
  "test_split",
  "fewshot_split",
  "fewshot_config",
  "num_fewshot",
  "description",
  "doc_to_text",
  "doc_to_target",
  "doc_to_choice",
  "target_delimiter",
  "metric_list",
  "generation_kwargs",
  "filter_list",
  "metadata",
  "repeats",
  "dataset_kwargs",
];

export default {
  name: "task files",
  share: 2,
  batch: 60,
  minimum: 1200,
  async open() {
    const files = readdirSync(parity("eval", "tasks")).map((name) => parity("eval", "tasks", name));
    return { texts: files.map((file) => readFileSync(file, "utf8").replaceAll("../data", parity("eval", "data"))) };
  },
  async make(random, folder, { texts }) {
    const file = join(folder, "own.yaml");
    const text = random.of(texts);
    let made;
    if (random.chance(0.6)) {
      const [key, value] = [random.of(KEYS), random.of(VALUES)];
      const pattern = new RegExp(`^${key}:.*\\n(?:[ -].*\\n)*`, "m");
      made = {
        text: pattern.test(text) ? text.replace(pattern, () => `${key}: ${value}\n`) : `${text}${key}: ${value}\n`,
        note: `${key}: ${value}`,
      };
    } else made = mutateText(random, text);
    replace(file, made.bytes ?? made.text);
    const note = random.chance(0.02) ? replaceBySpecial(random, file) : made.note;
    const model = parity("eval", "model");
    return {
      note,
      names: ["own.yaml", "row", "/"],
      command: ["eval", "--model", model, "--tasks", file, "--limit", "2"],
      run: async () => {
        const { readTaskFile, prepareEvaluation } = product();
        await readTaskFile(file);
        await prepareEvaluation({ tasks: [file], limit: 2 });
      },
    };
  },
  judge: judgeInput,
};
