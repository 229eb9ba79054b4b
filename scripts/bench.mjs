/**
 * npm run bench: dispatch, import, training step and memory, beside PyTorch's Python when there is one with torch
 * (`PYTHON=/path/to/python npm run bench`; the default is python3). Each figure is a median; the two sides alternate in
 * one run, so that a busy machine slows both. Never part of the tests.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const python = process.env.PYTHON ?? "python3";
const ROUNDS = 3;

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

function runNode(script, ...args) {
  return JSON.parse(execFileSync(process.execPath, ["--expose-gc", here(`bench/${script}`), ...args], { encoding: "utf8" }));
}

function runPython(script) {
  return JSON.parse(execFileSync(python, [here(`bench/${script}`)], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
}

function hasTorch() {
  try {
    execFileSync(python, ["-c", "import torch"], { stdio: "ignore" });
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

function row(what, { node, torch }, unit, goal) {
  const ratio = torch === undefined ? "" : (node / torch).toFixed(2);
  const shown = (value) => (value === undefined ? "–" : `${value.toFixed(value < 10 ? 3 : 1)} ${unit}`);
  console.log(`${what.padEnd(34)}${shown(node).padStart(12)}${shown(torch).padStart(14)}${ratio.padStart(8)}   ${goal}`);
}

const withPython = hasTorch();
console.log(`Node ${process.version}; ${withPython ? `Python with torch at ${python}` : `no Python with torch (${python}); set PYTHON to compare`}\n`);
console.log(`${"".padEnd(34)}${"smaug".padStart(12)}${"reference".padStart(14)}${"ratio".padStart(8)}   goal`);

const [plain, withGrad] = compare("add.mjs", "add.py", ["us", "usWithGrad"], withPython);
row("add of 16 floats", plain, "µs", "PyTorch's Python, at most 0.75");
row("add of 16 floats, with grad", withGrad, "µs", "PyTorch's Python, at most 0.75");

const [step] = compare("step.mjs", "step.py", ["ms"], withPython);
row("training step, 164k weights", step, "ms", "PyTorch's Python, at most 1.15");

const loads = Array.from({ length: 5 }, () => [runNode("load.mjs", "smaug").ms, runNode("load.mjs", "libtorch").ms]);
row("import", { node: median(loads.map(([ms]) => ms)), torch: median(loads.map(([, ms]) => ms)) }, "ms", "the bare load of libtorch, under 1.5");

const memory = runNode("memory.mjs");
row("resident after 1,000 steps", { node: memory.after, torch: memory.before }, "MiB", "after 100 steps, at most 1.10");
console.log(`\n100,000 ops in one tidy: ${memory.leaked} tensors left`);
