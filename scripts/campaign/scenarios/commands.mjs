/** Inputs of the other kinds through the command line: exit code 0 or 2, one message, no stack, no control characters. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { runOnce } from "../batches.mjs";
import { judgeCommand } from "../judge.mjs";
import { environment } from "../product.mjs";

const AT_ONCE = 12;

/** @param kinds those that run in a process */
export default (kinds) => ({
  name: "command line",
  share: 5,
  minimum: 200,
  async run(random, shop, folder) {
    const kind = random.of(kinds);
    const from = 1e6 + random.integer(0, 1e9); // not those that run in a process
    const inputs = Array.from({ length: AT_ONCE }, (_, i) => from + i);
    const { outcomes, failed } = await runOnce(kind, inputs, {
      seed: shop.tally.seed,
      root: folder,
      keep: join(folder, "inputs"),
      makeOnly: true,
      env: environment(folder),
      limits: { seconds: 60 * shop.scale, bytes: shop.limits.bytes },
    });
    if (failed) throw new Error(`inputs of ${kind.name} could not be made: ${failed.text}`);
    const faults = [];
    for (const [input, { command, names, note }] of outcomes) {
      if (!command) continue;
      const limits = { seconds: 20, cwd: folder };
      let outcome = await shop.cli(command, limits);
      if (outcome.reason === "hang" || outcome.reason === "memory") outcome = await shop.cli(command, { ...limits, seconds: 40 });
      const fault = judgeCommand(outcome, { codes: [0, 2], names, isData: command[0] === "generate" });
      if (fault)
        faults.push({
          ...fault,
          text: `${kind.name}: ${fault.text}`,
          note,
          files: join(folder, "inputs", String(input)),
          command,
        });
    }
    return { note: kind.name, inputs: [...outcomes.values()].filter(({ command }) => command).length, faults };
  },
});

/** Runs of `smaug train` with random settings. */
export const trainingSettings = {
  name: "training settings",
  share: 3,
  minimum: 150,
  async run(random, shop, folder) {
    const { base, someSettings } = await import("../kinds/settings.mjs");
    writeFileSync(
      join(folder, "pairs.jsonl"),
      Array.from({ length: 6 }, (_, i) => `{"prompt":"the ${i}","chosen":" a ${i}","rejected":" b"}\n`).join(""),
    );
    const { args } = someSettings(random, { calm: true });
    const command = ["train", ...base(folder), "--max_steps", "2", ...args];
    const note = JSON.stringify(args).slice(0, 300);
    let outcome = await shop.cli(command, { seconds: 30, cwd: folder });
    if (outcome.reason === "hang") outcome = await shop.cli(command, { seconds: 60, cwd: folder });
    // 1: a loss that is NaN or infinite, say. The message has to be clear all the same.
    const fault = judgeCommand(outcome, { codes: [0, 1, 2] });
    return {
      note,
      inputs: 1,
      faults: fault ? [{ ...fault, text: `${args.join(" ").slice(0, 80)}: ${fault.text}`, command }] : [],
    };
  },
};
