/**
 * Inputs by the hundred in one child, for kinds that run in a process. When the child dies, hangs or takes too much
 * memory, the input that it was at runs again alone, then the last ones before it, then halves of the batch; what still
 * fails with the fewest inputs is the fault.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { start } from "./children.mjs";
import { limitText, tail } from "./judge.mjs";

const WORKER = fileURLToPath(new URL("worker.mjs", import.meta.url));
/** Finished inputs before the last one that are tried alone. */
const TRIED_ALONE = 3;
/** For loading libtorch and what a kind needs, before the first input. */
const START_SECONDS = 30;

/** Runs inputs in one child. `failed` says how it ended early, and `at` which input it was at. */
export async function runOnce(kind, inputs, { seed, root, limits, env, alone = false, keep, makeOnly = false }) {
  const folder = keep ?? mkdtempSync(join(root, "batch-"));
  const outcomes = new Map();
  const notes = new Map();
  let at;
  let broken;
  const job = JSON.stringify({
    module: kind.module,
    seed,
    folder,
    inputs,
    alone,
    bytes: limits.bytes,
    keep: keep !== undefined,
    makeOnly,
  });
  const { ended } = start(process.execPath, ["--expose-gc", ...(kind.nodeOptions ?? []), WORKER, job], {
    cwd: root,
    env: { ...env, ...kind.env },
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    limits: { startSeconds: START_SECONDS, ...limits },
    onLine(line) {
      if (line.broken) broken = line;
      if (line.note !== undefined) notes.set(line.input, line.note);
      if (line.done) outcomes.set(line.input, line);
      if (line.input !== undefined) at = line.done ? undefined : line.input;
    },
  });
  const outcome = await ended;
  if (keep === undefined) rmSync(folder, { recursive: true, force: true });
  if (broken) throw new Error(`the campaign could not make input ${broken.input} of ${kind.name}: ${broken.broken}`);
  const { code, signal, reason, stderr } = outcome;
  if (reason === "exited" && code === 0 && outcomes.size === inputs.length) return { outcomes, notes };
  const type = reason === "exited" ? "crash" : reason;
  if (reason === "exited" && at === undefined && outcomes.size === 0)
    throw new Error(`the campaign could not begin ${kind.name}: ${tail(stderr, 2000)}`);
  // A late rejection ends the process between two inputs.
  at ??= [...outcomes.keys()].at(-1) ?? inputs[0];
  const text = type === "crash" ? `the process ended with ${signal ?? `code ${code}`}: ${tail(stderr, 500)}` : limitText(outcome);
  return { outcomes, notes, failed: { type, text, at } };
}

/**
 * Runs a batch to its end whatever its inputs do.
 *
 * @param onOutcome called once for each input with `{ input, note, fault }`; a fault that needs several inputs has them
 *   in `fault.batch`
 */
export async function runBatch(kind, inputs, options, onOutcome) {
  let left = [...inputs];
  const memory = { ...options.limits };
  while (left.length > 0) {
    const { outcomes, failed } = await runOnce(kind, left, { ...options, limits: memory });
    const culprit = failed && (outcomes.has(failed.at) ? undefined : failed.at);
    const done = left.filter((input) => outcomes.has(input));
    const suspects = new Set();
    for (const input of done) {
      const outcome = outcomes.get(input);
      // The peak of a process never falls: the first input above the limit is the suspect, those after it run again.
      if (outcome.fault?.type === "memory") {
        suspects.add(input);
        break;
      }
      onOutcome(outcome);
    }
    const [suspect] = suspects;
    if (suspect !== undefined) {
      const before = left.slice(0, left.indexOf(suspect) + 1);
      onOutcome(await blame(kind, before, { type: "memory", text: outcomes.get(suspect).fault.text, at: suspect }, options));
      left = left.slice(before.length);
      continue;
    }
    if (!failed) return;
    const before = left.slice(0, left.indexOf(failed.at) + 1);
    const found = await blame(kind, before, failed, options);
    if (culprit !== undefined || found.fault) onOutcome(culprit === undefined ? { ...found, again: true } : found);
    left = left.slice(before.length);
  }
}

/** Finds what of `inputs`, the last of which the child was at, it takes to fail. */
async function blame(kind, inputs, failed, options) {
  const limits = failed.type === "hang" ? { ...options.limits, seconds: options.limits.seconds * 2 } : options.limits;
  const again = (list) => runOnce(kind, list, { ...options, limits, alone: true });
  const sameFault = ({ failed: other, outcomes }, input) => {
    if (other) return other;
    const { fault } = outcomes.get(input);
    return fault?.type === failed.type ? fault : undefined;
  };
  const alone = [inputs.at(-1), ...inputs.slice(0, -1).slice(-TRIED_ALONE).reverse()];
  let last;
  let note;
  for (const [i, input] of alone.entries()) {
    const result = await again([input]);
    if (i === 0) [last, note] = [result.outcomes.get(input), result.notes.get(input)];
    const fault = sameFault(result, input);
    if (fault) return { input, note: result.notes.get(input), fault: { type: fault.type, text: fault.text } };
    if (failed.type === "hang" && i === 0) return { input, note, slow: true, ...(last?.fault ? { fault: last.fault } : {}) };
  }
  const batch = await smallestTail(inputs, async (list) => sameFault(await again(list), list.at(-1)) !== undefined);
  const input = inputs.at(-1);
  if (batch) return { input, note, fault: { type: failed.type, text: `${failed.text} (after the inputs before it)`, batch } };
  if (failed.type === "crash")
    return { input, note, fault: { type: "crash", text: `${failed.text} (once; not again)`, batch: inputs } };
  return { input, note, ...(last?.fault ? { fault: last.fault } : {}) };
}

/** The shortest end of the list that fails, by halves; undefined when the whole list does not. */
async function smallestTail(list, fails) {
  if (list.length < 2 || !(await fails(list))) return undefined;
  let [works, broken] = [list.length, 0]; // starts: list.slice(broken) fails, list.slice(works) does not
  while (works - broken > 1) {
    const middle = Math.floor((works + broken) / 2);
    if (await fails(list.slice(middle))) broken = middle;
    else works = middle;
  }
  return list.slice(broken);
}
