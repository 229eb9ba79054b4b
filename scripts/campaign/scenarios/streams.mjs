/** stdout and stderr that are closed, full or slow, or that close in the middle: a run continues, and its files are complete. */
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { start } from "../children.mjs";
import { judgeCommand } from "../judge.mjs";
import { CLI, parity } from "../product.mjs";
import { differs, MODEL, notWhole } from "./base.mjs";

export default {
  name: "streams",
  share: 3,
  minimum: 50,
  async run(random, shop, folder) {
    const what = random.weighted([
      [5, "train"],
      [1, "reference"],
      [1, "score"],
      [1, "generate"],
      [1, "inspect"],
      [1, "report"],
      [1, "reproduce"],
      [1, "eval"],
    ]);
    const how = {
      stdout: random.of(["pipe", "full", "closed", "breaks", "slow"]),
      stderr: random.of(["pipe", "full", "closed", "breaks", "slow"]),
    };
    const note = `${what}: stdout ${how.stdout}, stderr ${how.stderr}`;
    const expected = await shop.baseline();
    const [out, cache] = [join(folder, "out"), join(folder, "cache")];
    const args = {
      train: shop.train(out, cache, { logging_steps: 1 }),
      reference: shop.train(out, cache, {}, "reference"),
      score: ["score", "--model", MODEL, "--data", shop.data, "--out", "-"],
      generate: ["generate", "--model", MODEL, "--prompt", "the sky", "--max-new-tokens", "20"],
      inspect: ["data", "inspect", shop.data, "--model", MODEL],
      report: ["report", expected.folder, "--out", join(folder, "report.html")],
      reproduce: ["reproduce", "--preset", "smoke", "--out", out],
      eval: ["eval", "--model", parity("eval", "model"), "--tasks", parity("eval", "tasks", "sums.yaml"), "--limit", "2"],
    }[what];
    const outcome = await disturbed(random, shop, args, how);
    const isBroken = [how.stdout, how.stderr].some((each) => each !== "pipe" && each !== "slow");
    const fault = ended(
      outcome,
      what === "train" && how.stdout !== "full" && how.stdout !== "closed" && how.stdout !== "breaks" ? [0] : [0, 1],
      isBroken,
    );
    if (fault) return { note, inputs: 1, faults: [{ ...fault, text: `${note}: ${fault.text}` }] };
    const why = what === "train" ? differs(out, await shop.baseline({ logging_steps: 1 })) : notWhole(folder);
    return { note, inputs: 1, faults: why ? [{ type: "wrong", text: `${note}: ${why}` }] : [] };
  },
};

/** No message can be required where nobody reads; what was written is judged. */
function ended(outcome, codes, isBroken) {
  const fault = judgeCommand(outcome, { codes, isData: true });
  if (fault === undefined) return undefined;
  if (fault.text.includes("without a message") && isBroken) return undefined;
  return { ...fault, type: fault.type === "unclear" && !fault.text.includes("stack trace") ? "wrong" : fault.type };
}

function disturbed(random, shop, args, how) {
  const options = shop.options();
  if (Object.values(how).includes("closed")) {
    const closing = Object.entries(how)
      .map(([name, each]) => (each === "closed" ? `${name === "stdout" ? 1 : 2}>&-` : ""))
      .join(" ");
    return read(random, how, ["/bin/sh", ["-c", `exec "$0" "$@" ${closing}`, process.execPath, CLI, ...args]], options);
  }
  return read(random, how, [process.execPath, [CLI, ...args]], options);
}

function read(random, how, [command, args], options) {
  const stdio = streams(how);
  const { child, ended: end } = start(command, args, { ...options, stdio: ["ignore", ...stdio] });
  stdio.filter((each) => typeof each === "number").forEach((each) => closeSync(each));
  for (const name of ["stdout", "stderr"]) {
    const stream = child[name];
    if (how[name] === "breaks") setTimeout(() => stream.destroy(), random.number() * 1500);
    else if (how[name] === "slow") slow(stream, random.integer(20, 200));
  }
  return end;
}

const streams = (how) => ["stdout", "stderr"].map((name) => (how[name] === "full" ? openSync("/dev/full", "w") : "pipe"));

/** Reads now and then. */
function slow(stream, milliseconds) {
  stream.pause();
  const timer = setInterval(() => {
    stream.resume();
    setTimeout(() => stream.pause(), 1);
  }, milliseconds);
  stream.once("close", () => clearInterval(timer));
}
