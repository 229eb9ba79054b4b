/** Damaged metrics.jsonl and trainer_state.json, read for a report. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { replace } from "../folders.mjs";
import { damageJson, mutateText, replaceBySpecial } from "../mutate.mjs";
import { judgeInput, product, wrong } from "../product.mjs";

const NAMES = [
  "loss",
  "grad_norm",
  "learning_rate",
  "rewards/chosen",
  "rewards/rejected",
  "rewards/accuracies",
  "rewards/margins",
  "logps/chosen",
  "logps/rejected",
  "dpop/penalty_mean",
  "epoch",
];

function someRun(random) {
  const statement = {
    smaug: "0.1.0",
    config: { beta: 0.3, lossType: ["dpop"], learningRate: 1e-4 },
    total_steps: 20,
    reference_rows: 8,
    dpop_tolerance: 1e-6,
  };
  const lines = Array.from({ length: random.integer(1, 8) }, (_, i) => ({
    step: i + 1,
    ...Object.fromEntries(NAMES.map((name) => [name, random.number() * 4 - 2])),
  }));
  if (random.chance(0.5))
    lines.push({
      step: lines.length,
      ...Object.fromEntries(NAMES.slice(0, 8).map((name) => [`eval_${name}`, random.number()])),
    });
  return { statement, lines };
}

export default {
  name: "metrics and reports",
  share: 2,
  batch: 60,
  minimum: 1200,
  async make(random, folder) {
    const run = join(folder, "run");
    mkdirSync(run);
    const { statement, lines } = someRun(random);
    const state = random.chance(0.3);
    const file = join(run, state ? "trainer_state.json" : "metrics.jsonl");
    let made;
    let torn;
    if (state) made = damageJson(random, { log_history: lines, max_steps: 20, global_step: lines.length });
    else if (random.chance(0.15)) {
      const text = [statement, ...lines].map((line) => `${JSON.stringify(line)}\n`).join("");
      const kept = random.integer(2, lines.length + 1);
      const whole = text.split("\n").slice(0, kept).join("\n");
      torn = kept - 1;
      made = { text: `${whole}\n{"step": 9, "lo`, note: `the last line is torn after ${torn} whole ones` };
      if (lines.slice(0, torn).every((line) => !("loss" in line))) torn = undefined;
    } else {
      const all = [statement, ...lines].map((line) => JSON.stringify(line));
      const at = random.integer(0, all.length - 1);
      made = random.chance(0.6) ? damageJson(random, [statement, ...lines][at]) : mutateText(random, all.join("\n"));
      if (made.note !== undefined && all.length > 1 && random.chance(0.7) && made.text !== undefined) {
        all[at] = String(made.text).replace(/\n */g, " ");
        made = { text: all.join("\n"), note: `line ${at + 1}: ${made.note}` };
      }
    }
    replace(file, made.bytes ?? made.text);
    const note = random.chance(0.02) ? ((torn = undefined), replaceBySpecial(random, file)) : made.note;
    return {
      note,
      names: ["metrics.jsonl", "trainer_state.json", run],
      command: ["report", run, "--json"],
      torn,
      run: async () => {
        const { readRuns } = product("report/run.js");
        const runs = readRuns([run]);
        if (torn !== undefined && runs[0].lines.length !== lines.slice(0, torn).filter((line) => "loss" in line).length)
          return wrong("lines before a torn one were lost");
        const page = await product("report/runReport.js").renderRuns(runs, undefined, () => {});
        if (
          /\b(NaN|undefined|Infinity)\b/.test(page.replace(/<script[^]*?<\/script>/g, "").replace(/<[^>]*>/g, " ")) &&
          !/NaN|undefined|Infinity|e\+?[34]\d\d/.test(String(made.text)) // 1e400 is read as Infinity
        )
          return wrong("NaN or undefined in the page");
      },
    };
  },
  judge: (error, made) =>
    made.torn === undefined ? judgeInput(error, made) : wrong(`a torn last line refuses the run: ${error.message}`),
};
