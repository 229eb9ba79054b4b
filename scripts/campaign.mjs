/**
 * npm run campaign -- --minutes N [--seed S]: damages every kind of file, kills runs, fills disks, closes streams, damages
 * stores and checkpoints, calls operators. Everything runs in child processes with limits of time and memory. Prints one
 * line per kind; exit code 1 if anything was found. Inputs that found something are saved, with the command that repeats
 * them. The same seed makes the same inputs.
 *
 *   --kinds a,b        only these (--list prints them all)
 *   --input N or N-M   only these inputs, of one kind
 *   --out DIR          where faults are saved (default: a new folder in the temporary one)
 *   --slots N          children at a time (default: 2)
 *   --json             print the table as JSON
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { campaign, measureScale } from "./campaign/campaign.mjs";
import { killAll } from "./campaign/children.mjs";
import { allKinds } from "./campaign/kinds.mjs";
import { Tally } from "./campaign/tally.mjs";

const say = (text) => process.stderr.write(`${text}\n`);

function usage(message) {
  say(`error: ${message}; npm run campaign -- --minutes 30 [--seed 1] [--kinds a,b] [--json]`);
  process.exit(2);
}

function readOptions() {
  const text = { type: "string" };
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        minutes: text,
        seed: text,
        kinds: text,
        input: text,
        out: text,
        slots: text,
        json: { type: "boolean" },
        list: { type: "boolean" },
      },
    }));
  } catch (error) {
    usage(error.message);
  }
  const number = (name, fallback, isRight) => {
    const value = values[name] === undefined ? fallback : Number(values[name]);
    return isRight(value) ? value : usage(`Expected a number for '--${name}' but received ${values[name]}`);
  };
  const [from, to = from] = values.input === undefined ? [] : values.input.split("-").map(Number);
  if (values.input !== undefined && !(Number.isSafeInteger(from) && Number.isSafeInteger(to) && to >= from))
    usage(`Expected N or N-M for '--input' but received ${values.input}`);
  return {
    ...values,
    minutes: number("minutes", 5, (n) => n > 0),
    seed: number("seed", Math.floor(Date.now() / 1000) % 1e6, (n) => Number.isSafeInteger(n) && n >= 0),
    slots: number("slots", 2, (n) => Number.isSafeInteger(n) && n > 0),
    inputs: from === undefined ? undefined : Array.from({ length: to - from + 1 }, (_, i) => from + i),
  };
}

const options = readOptions();
let kinds = await allKinds();
if (options.list) {
  process.stdout.write(kinds.map(({ name }) => `${name}\n`).join(""));
  process.exit(0);
}
if (options.kinds !== undefined) {
  const names = options.kinds.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !kinds.some((kind) => kind.name === name));
  if (unknown !== undefined)
    usage(`Expected some of ${kinds.map(({ name }) => name).join(", ")} for '--kinds' but received '${unknown}'`);
  kinds = kinds.filter(({ name }) => names.includes(name));
}
if (options.inputs && kinds.length !== 1) usage("Expected one kind for '--input'; name it with --kinds");

const root = mkdtempSync(join(tmpdir(), "smaug-campaign-"));
const faults = options.out === undefined ? join(tmpdir(), `smaug-faults-${options.seed}-${process.pid}`) : resolve(options.out);
const cleanUp = () => {
  killAll();
  rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
};
process.on("exit", cleanUp);
if (options.out !== undefined) mkdirSync(faults, { recursive: true });

const tally = new Tally(kinds, { folder: faults, seed: options.seed, say });
let stopped;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
  process.on(signal, () => {
    stopped = signal;
    finish();
  });

function finish() {
  process.stdout.write(options.json ? `${JSON.stringify(tally, null, 2)}\n` : `seed ${options.seed}\n\n${tally.table()}\n`);
  if (!options.json) {
    for (const note of tally.notes) process.stdout.write(`note: ${note}\n`);
    for (const kind of tally.broken.keys()) process.stdout.write(`could not run: ${kind}\n`);
  }
  if (existsSync(faults) && tally.saved.length > 0) {
    say(
      `\nfaults by how often they were found:\n${tally
        .distinct()
        .map(({ signature, times }) => `  ${times} × ${signature}`)
        .join("\n")}`,
    );
    say(`\n${tally.saved.length} inputs saved in ${faults}`);
  }
  process.exit(stopped ? 130 : tally.clean ? 0 : 1);
}

say(`seed ${options.seed}, ${options.minutes} minutes, ${kinds.length} kinds`);
const scale = await measureScale(root);
if (scale > 1) say(`this machine takes ${scale.toFixed(1)} times as long as limits of time are made for: they are raised`);
await campaign(kinds, { ...options, tally, root, scale, say, isStopped: () => stopped !== undefined });
if (!stopped) finish();
