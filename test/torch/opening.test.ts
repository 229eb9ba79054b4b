/** When libtorch is opened: not by an import, but by the first use of a tensor. Each case is a process of its own. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { attemptLoad } from "../../src/native/load";
import { hostChecks } from "../../src/native/setup/host";
import { formatChecks } from "../../src/native/setup/report";
import { temporaryFolder } from "../native/fixtures";

const dist = (path: string) => JSON.stringify(join(__dirname, "../../dist", path));
const nowhere = { LIBTORCH: "/nowhere" };

/** What a script returns, given `smaug`, `torch` and `isOpen`, which says whether libtorch is mapped. */
function run(script: string, env: NodeJS.ProcessEnv = {}): unknown {
  const program = `
    const smaug = require(${dist("index.js")});
    const torch = require(${dist("torch/index.js")});
    const isOpen = () => require("node:fs").readFileSync("/proc/self/maps", "utf8").includes("libtorch");
    const thrown = (fn) => { try { fn(); return null; } catch (error) { return { name: error.name, message: error.message }; } };
    (async () => { ${script} })().then((result) => process.stdout.write(JSON.stringify(result)));`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["-e", program], {
    env: { ...process.env, ...env },
    encoding: "utf8",
  });
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
}

describe("importing smaug", () => {
  test("opens no libtorch, and neither does reading rows", () => {
    const file = join(temporaryFolder(), "pairs.jsonl");
    writeFileSync(file, `${JSON.stringify({ prompt: "2 + 2 =", chosen: " 4", rejected: " 5" })}\n`);
    const script = `
      const rows = await smaug.loadPreferences(${JSON.stringify(file)});
      const loss = smaug.dpop({ beta: 0.3, lambda: 50 });
      return { rows: rows.length, loss: typeof loss, open: isOpen() };`;
    expect(run(script, nowhere)).toEqual({ rows: 1, loss: expect.any(String), open: false });
  });

  test("works where there is none: the first tensor throws the table of `smaug doctor`", () => {
    const table = formatChecks([...hostChecks(), ...attemptLoad(nowhere).checks]);
    const error = { name: "NativeLoadError", message: `libtorch could not be loaded\n\n${table}\n` };
    const script = `return [
      thrown(() => torch.zeros([1])),
      thrown(() => torch.zeros([1])),
      thrown(() => torch.ops.ones([1])),
      thrown(() => torch.op("aten::add.Tensor")),
      thrown(() => torch.manualSeed(1)),
      thrown(() => new smaug.Linear(2, 3)),
    ];`;
    expect(run(script, nowhere)).toEqual(Array.from({ length: 6 }, () => error));
  });
});

describe("the operators", () => {
  test("are there once libtorch is open", () => {
    const script = `
      const { ops, Tensor } = torch;
      const before = isOpen();
      const sum = torch.ones([2]).add(torch.ones([2])).toList();
      return [before, isOpen(), sum, "add" in Tensor.prototype, "add" in ops, Object.keys(ops).includes("_softmax")];`;
    expect(run(script)).toEqual([false, true, [2, 2], true, true, true]);
  });

  test.each([
    ["a function taken from ops", `const { zeros } = torch.ops; return zeros([2]).toList().length === 2 && isOpen();`],
    ["a name looked for in Tensor.prototype", `return "matmul" in torch.Tensor.prototype && isOpen();`],
  ])("are found by %s, which opens it", (_, script) => {
    expect(run(script)).toBe(true);
  });

  test("are not asked for by what is not one of them", () => {
    const script = `
      const { Tensor } = torch;
      const kinds = [typeof Tensor.prototype.backward, typeof Tensor.prototype.dispose, typeof Tensor.prototype[Symbol.iterator]];
      require("node:util").inspect(Tensor);
      return [...kinds, isOpen()];`;
    expect(run(script)).toEqual(["function", "function", "undefined", false]);
  });
});
