/**
 * Runs inputs of one kind in this process: `node worker.mjs JSON`, with `{ module, seed, folder, inputs, … }`. On file
 * descriptor 3 it writes a line before and a line after each input, so that its parent knows which one ended it. With
 * `makeOnly` the inputs are made and not used; with `keep` their files stay.
 */
import { mkdirSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { Random } from "./random.mjs";

const { module, seed, folder, inputs, alone, bytes, keep, makeOnly } = JSON.parse(process.argv[2]);
const say = (line) => {
  try {
    writeSync(3, `${JSON.stringify(line)}\n`);
  } catch {
    process.exit(1); // the parent is gone
  }
};

const { default: kind } = await import(pathToFileURL(module).href);
mkdirSync(folder, { recursive: true });
const state = await kind.open?.({ folder, seed });
say({ ready: true });
for (const [count, input] of inputs.entries()) {
  const random = new Random(seed, kind.name, input);
  const place = join(folder, String(input));
  mkdirSync(place);
  say({ input });
  let made;
  try {
    made = await kind.make(random, place, state);
  } catch (error) {
    say({ input, broken: String(error?.stack ?? error) });
    process.exit(1);
  }
  if (makeOnly) {
    const { note, command, names } = made;
    say({ input, done: true, note, command, names });
    continue;
  }
  say({ input, note: made.note });
  let fault;
  try {
    fault = await made.run();
  } catch (error) {
    fault = kind.judge(error, made);
  }
  await setTimeout(alone ? 30 : 0); // rejections that nobody awaits end the process while the input is still known
  // A peak between two polls of the parent.
  const peak = process.resourceUsage().maxRSS * 1024;
  if (!fault && bytes && peak > bytes) fault = { type: "memory", text: `${Math.round(peak / 2 ** 20)} MiB resident` };
  say({ input, done: true, note: made.note, ...(fault ? { fault } : {}) });
  if (!keep) rmSync(place, { recursive: true, force: true });
  if (count % 16 === 15) globalThis.gc?.();
}
process.exit(0);
