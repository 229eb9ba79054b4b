/**
 * npm run bench: dispatch, import, training step, memory, generation and evaluation, beside PyTorch's Python when there is
 * one with torch (`PYTHON=/path/to/python npm run bench`; the default is python3), transformers and lm_eval. Each figure
 * is a median; the two sides alternate in one run, so that a busy machine slows both. `npm run bench -- generate` runs
 * those it names. Never part of the tests.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const python = process.env.PYTHON ?? "python3";
const ROUNDS = 3;
const PAIRS = 7; // of measurements that are short and alternate within two running programs

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

function runNode(script, ...args) {
  return JSON.parse(execFileSync(process.execPath, ["--expose-gc", here(`bench/${script}`), ...args], { encoding: "utf8" }));
}

function runPython(script, ...args) {
  return JSON.parse(
    execFileSync(python, [here(`bench/${script}`), ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
  );
}

function canImport(module) {
  try {
    execFileSync(python, ["-c", `import ${module}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** The medians of `keys` over alternating rounds of both sides. */
function compare(nodeScript, pythonScript, keys, withPython) {
  const node = [];
  const torch = [];
  for (let round = 0; round < ROUNDS; round++) {
    node.push(runNode(nodeScript));
    if (withPython) torch.push(runPython(pythonScript));
  }
  const of = (runs, key) => (runs.length > 0 ? median(runs.map((run) => run[key])) : undefined);
  return keys.map((key) => ({ node: of(node, key), torch: of(torch, key), version: torch[0]?.torch }));
}

function row(what, { node, torch, ratio = node / torch }, unit, goal) {
  const shown = (value) => (value === undefined ? "–" : `${value.toFixed(value < 10 ? 3 : 1)} ${unit}`);
  console.log(
    `${what.padEnd(34)}${shown(node).padStart(12)}${shown(torch).padStart(14)}${(torch === undefined ? "" : ratio.toFixed(2)).padStart(8)}   ${goal}`,
  );
}

/** A program that answers each line with one; its first line says that it is ready. */
async function startServer(command, script) {
  const server = spawn(command, [here(`bench/${script}`)], { stdio: ["pipe", "pipe", "ignore"] });
  const lines = createInterface(server.stdout)[Symbol.asyncIterator]();
  const read = async () => {
    const { done, value } = await lines.next();
    if (done) throw new Error(`${script} has ended without an answer`);
    return JSON.parse(value);
  };
  await read();
  const ask = (question) => {
    server.stdin.write(`${JSON.stringify(question)}\n`);
    return read();
  };
  return { ask, stop: () => server.stdin.end() };
}

const benches = {
  add() {
    const [plain, withGrad] = compare("add.mjs", "add.py", ["us", "usWithGrad"], withPython);
    row("add of 16 floats", plain, "µs", "PyTorch's Python, at most 0.75");
    row("add of 16 floats, with grad", withGrad, "µs", "PyTorch's Python, at most 0.75");
  },

  step() {
    const [step] = compare("step.mjs", "step.py", ["ms"], withPython);
    row("training step, 164k weights", step, "ms", "PyTorch's Python, at most 1.15");
  },

  load() {
    const loads = Array.from({ length: 5 }, () => [runNode("load.mjs", "smaug").ms, runNode("load.mjs", "libtorch").ms]);
    const [node, torch] = [0, 1].map((side) => median(loads.map((pair) => pair[side])));
    row("import", { node, torch }, "ms", "the bare load of libtorch, under 1.5");
  },

  memory() {
    const memory = runNode("memory.mjs");
    row("resident after 1,000 steps", { node: memory.after, torch: memory.before }, "MiB", "after 100 steps, at most 1.10");
    row("left by 100,000 ops in one tidy", { node: memory.leaked }, "", "0");
  },

  async generate() {
    const node = await startServer(process.execPath, "generate.mjs");
    const torch = canImport("transformers") ? await startServer(python, "generate.py") : undefined;
    for (const batch of [1, 8]) {
      const pairs = [];
      for (let i = 0; i <= PAIRS; i++) {
        const pair = [];
        for (const side of [node, torch]) pair.push((await side?.ask({ batch }))?.tokens_per_second);
        if (i > 0) pairs.push(pair); // the first one warms up
      }
      const of = (side) => median(pairs.map((pair) => pair[side]));
      const ratio = torch && median(pairs.map(([a, b]) => a / b));
      const figures = { node: of(0), torch: torch && of(1), ratio };
      row(`generation, 135M, batch ${batch}`, figures, "tok/s", "transformers, at least 1");
    }
    node.stop();
    torch?.stop();
  },

  train() {
    const withTrl = canImport("trl");
    // Each in a process of its own, for its peak memory; TRL's default and its best in turn with ours.
    for (const [dtype, goals] of [
      ["float32", { default: 3, best: 2 }],
      ["bfloat16", { best: 2.5 }],
    ]) {
      const runs = Array.from({ length: ROUNDS }, () => ({
        node: runNode("train.mjs", dtype),
        ...Object.fromEntries(withTrl ? Object.keys(goals).map((mode) => [mode, runPython("train.py", mode, dtype)]) : []),
      }));
      for (const [key, name, unit, goal] of [
        ["pairsPerSecond", "speed", "pairs/s", undefined],
        ["peakMiB", "peak", "MiB", "at most 0.5"],
      ]) {
        const of = (side) => median(runs.map((run) => run[side][key]));
        const title = `DPO, 135M, ${dtype}, ${name}`;
        if (!withTrl) row(title, { node: of("node") }, unit, "");
        else
          for (const [mode, least] of Object.entries(goals)) {
            const ratio = median(runs.map((run) => run.node[key] / run[mode][key]));
            row(title, { node: of("node"), torch: of(mode), ratio }, unit, `TRL's ${mode}, ${goal ?? `at least ${least}`}`);
          }
      }
    }
  },

  eval() {
    const withHarness = canImport("lm_eval");
    const folder = mkdtempSync(join(tmpdir(), "smaug-bench-"));
    try {
      runNode("eval.mjs", "make", folder);
      const runs = Array.from({ length: ROUNDS }, () => [
        runNode("eval.mjs", "run", folder).questionsPerSecond,
        ...(withHarness ? [runPython("eval.py", folder).questions_per_second] : []),
      ]);
      const of = (side) => median(runs.map((run) => run[side]));
      const ratio = withHarness ? median(runs.map(([node, harness]) => node / harness)) : undefined;
      row(
        "ARC, 25 examples, 135M",
        { node: of(0), torch: withHarness ? of(1) : undefined, ratio },
        "q/s",
        "lm-evaluation-harness, at least 2.5",
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

const names = process.argv.slice(2);
const unknown = names.find((name) => !Object.hasOwn(benches, name));
if (unknown !== undefined) {
  console.error(`Expected some of ${Object.keys(benches).join(", ")} but received '${unknown}'`);
  process.exit(2);
}
const withPython = canImport("torch");
console.log(
  `Node ${process.version}; ${withPython ? `Python with torch at ${python}` : `no Python with torch (${python}); set PYTHON to compare`}\n`,
);
console.log(`${"".padEnd(34)}${"smaug".padStart(12)}${"reference".padStart(14)}${"ratio".padStart(8)}   goal`);
for (const name of names.length > 0 ? names : Object.keys(benches)) await benches[name]();
