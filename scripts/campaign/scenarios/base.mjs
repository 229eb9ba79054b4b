/** What scenarios share: the smallest run there is, how it ends undisturbed, whether files are whole. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, start } from "../children.mjs";
import { judgeCommand, tail } from "../judge.mjs";
import { CLI, environment, parity } from "../product.mjs";

export const MODEL = parity("score", "model");
const ROWS = 40;
const WORDS = ["the", "sky", "is", "blue", "a", "b", "c"];

/** Settings of the run: 24 steps, a checkpoint every other one, in less than two seconds. */
const RUN = {
  model_name_or_path: MODEL,
  use_peft: true,
  lora_r: 4,
  lora_target_modules: "all-linear",
  learning_rate: 0.01,
  per_device_train_batch_size: 2,
  max_tokens_per_batch: 1, // a pair a batch: log-probs do not depend on which other rows are computed along with one
  max_steps: 24,
  logging_steps: 3,
  save_steps: 2,
  save_total_limit: 2,
  device: "cpu",
};

export class Workshop {
  #baselines = new Map();

  /** @param scale how slow this machine is: limits of time grow with it */
  constructor({ root, scale = 1, limits, tally }) {
    Object.assign(this, { root, scale, limits, tally });
    this.data = join(root, "pairs.jsonl");
    const rows = Array.from({ length: ROWS }, (_, i) => ({
      prompt: Array.from({ length: 3 + (i % 3) }, (_, k) => WORDS[(i * (k + 2)) % WORDS.length]).join(" "),
      chosen: ` ${WORDS[i % 4]} ${WORDS[(i + 1) % 7]} ${i}`,
      rejected: ` ${WORDS[(i + 2) % 7]} ${i}`,
    }));
    writeFileSync(this.data, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    this.config = join(root, "run.yaml");
    writeFileSync(
      this.config,
      Object.entries({ ...RUN, dataset_name: this.data })
        .map(([key, value]) => `${key}: ${value}\n`)
        .join(""),
    );
  }

  /** An empty folder for one scenario. */
  folder(name = "scenario") {
    return mkdtempSync(join(this.root, `${name}-`));
  }

  options(extra = {}) {
    const { seconds = 60, ...rest } = extra;
    const folder = rest.cwd ?? this.root;
    return {
      cwd: folder,
      env: environment(this.root),
      limits: { seconds: seconds * this.scale, bytes: this.limits.bytes },
      ...rest,
    };
  }

  /** Runs a `smaug` command to its end. */
  cli(args, extra) {
    return run(process.execPath, [CLI, ...args], this.options(extra));
  }

  startCli(args, extra) {
    return start(process.execPath, [CLI, ...args], this.options(extra));
  }

  /** Arguments of the run into a folder. `changes` are settings that differ. */
  train(out, cache, changes = {}, command = "train") {
    const options = { output_dir: out, reference_cache: cache, ...changes };
    return [command, this.config, ...Object.entries(options).flatMap(([key, value]) => [`--${key}`, String(value)])];
  }

  /**
   * How the run with these settings ends when nothing disturbs it: `{ folder, weights, history, seconds }`. The folder is
   * never written to again.
   */
  baseline(changes = {}) {
    return this.once(JSON.stringify(changes), async (folder) => {
      const out = join(folder, "out");
      const outcome = await this.cli(this.train(out, join(folder, "cache"), changes));
      if (outcome.code !== 0)
        throw new Error(`the undisturbed run ended with ${outcome.signal ?? outcome.code}: ${tail(outcome.stderr)}`);
      return { folder: out, cache: join(folder, "cache"), seconds: outcome.seconds, ...resultOf(out) };
    });
  }

  /** Makes something once for all scenarios. */
  once(name, make) {
    if (!this.#baselines.has(name)) this.#baselines.set(name, make(this.folder("kept")));
    return this.#baselines.get(name);
  }
}

/** The final weights and what was logged, for comparing runs. */
function resultOf(out) {
  const { log_history: lines } = JSON.parse(readFileSync(join(out, "trainer_state.json"), "utf8"));
  const history = lines.filter((line) => "loss" in line).map(({ step, loss, grad_norm }) => ({ step, loss, grad_norm }));
  return { weights: readFileSync(join(out, "adapter_model.safetensors")), history: JSON.stringify(history) };
}

/** Why a finished run is not what it would have been, or undefined. */
export function differs(out, expected) {
  if (!existsSync(join(out, "adapter_model.safetensors"))) return "there are no final weights";
  let found;
  try {
    found = resultOf(out);
  } catch (error) {
    return `the result cannot be read: ${error.message}`;
  }
  if (!found.weights.equals(expected.weights)) return "the final weights differ from those of an undisturbed run";
  if (found.history !== expected.history)
    return `the history differs from that of an undisturbed run: ${found.history.slice(0, 200)}`;
  return undefined;
}

/** The first visible JSON or safetensors file below a folder that is not whole, or undefined. */
export function notWhole(folder) {
  if (!existsSync(folder)) return undefined;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name.startsWith(".")) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      const inside = notWhole(path);
      if (inside !== undefined) return inside;
    } else if (entry.name.endsWith(".json")) {
      try {
        JSON.parse(readFileSync(path, "utf8"));
      } catch (error) {
        return `${path} is not whole: ${error.message}`;
      }
    } else if (entry.name.endsWith(".safetensors") && !isWholeSafetensors(readFileSync(path))) return `${path} is not whole`;
  }
  return undefined;
}

function isWholeSafetensors(content) {
  if (content.length < 8) return false;
  const size = Number(content.readBigUInt64LE(0));
  try {
    const header = JSON.parse(content.subarray(8, 8 + size));
    const ends = Object.entries(header).map(([name, entry]) => (name === "__metadata__" ? 0 : entry.data_offsets[1]));
    return content.length === 8 + size + Math.max(0, ...ends);
  } catch {
    return false;
  }
}

export const checkpointsIn = (out) =>
  !existsSync(out)
    ? []
    : readdirSync(out)
        .filter((name) => /^checkpoint-\d+$/.test(name))
        .sort((a, b) => Number(a.slice(11)) - Number(b.slice(11)));

/** Names in an output folder that only writers in progress have. */
const hiddenIn = (out) => (existsSync(out) ? readdirSync(out).filter((name) => name.startsWith(".")) : []);

/** Resumes a run that ended early, as a user would, and compares how it ends. Returns a fault or undefined. */
export async function finish(shop, folder, cache, expected, changes = {}) {
  const out = shop.see?.(folder) ?? folder; // where this process sees it
  if (isFinished(out) && differs(out, expected) === undefined) return undefined;
  const resumed = checkpointsIn(out).length > 0 ? { resume_from_checkpoint: true } : {};
  const doing = resumed.resume_from_checkpoint ? "resuming" : "starting again";
  const outcome = await shop.cli(shop.train(folder, cache, { ...changes, ...resumed }));
  const fault = judgeCommand(outcome, { codes: [0] });
  if (fault) return { ...fault, type: fault.type === "unclear" ? "wrong" : fault.type, text: `${doing} failed: ${fault.text}` };
  const why = differs(out, expected) ?? notWhole(out) ?? left(out);
  return why && { type: "wrong", text: `after ${doing}: ${why}` };
}

const left = (out) => {
  const [name] = hiddenIn(out);
  return name && `${name} is left behind in the output folder`;
};

function isFinished(out) {
  return existsSync(join(out, "adapter_model.safetensors")) && existsSync(join(out, "trainer_state.json"));
}

export function copy(from, to) {
  mkdirSync(join(to, ".."), { recursive: true });
  cpSync(from, to, { recursive: true });
}

export const wait = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
