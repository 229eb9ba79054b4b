import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { InputError } from "../../src/base/errors";
import { configOf, readRuns } from "../../src/report/run";
import { temporaryFolders } from "../models/folders";
import { header, historyOf, writeRun } from "./runs";

const folder = temporaryFolders();
const read = (path: string) => readRuns([path])[0]!;

describe("a run", () => {
  test("has its header, its lines, its evaluations and what was logged last", () => {
    const run = read(writeRun(join(folder(), "dpo"), { steps: 4, evaluateEvery: 2 }));
    expect(run).toMatchObject({ name: "dpo", header, totalSteps: 60, beta: 0.5, nonFinite: [] });
    expect(run.lines.map(({ step }) => step)).toEqual([1, 2, 3, 4]);
    expect(run.evaluations).toEqual([
      { loss: 0.25, "rewards/chosen": -0.1, runtime: 1, step: 2 },
      { loss: 0.25, "rewards/chosen": -0.2, runtime: 1, step: 4 },
    ]);
    expect(run.closing).toMatchObject({ train_runtime: 12.34 });
  });

  test("may log a metric with the name of a method, and values beyond what can be drawn", () => {
    const path = folder();
    const lines: object[] = [header, { step: 1, loss: 0.5, constructor: 2 }, { step: 2, loss: 1e200, toString: 1e-320 }];
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, "metrics.jsonl"), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    const {
      lines: [first, second],
      nonFinite,
    } = read(path);
    expect([first!["constructor"], first!["toString"], second!["constructor"]]).toEqual([2, undefined, undefined]);
    expect([second!["loss"], second!["toString"]]).toEqual([undefined, 0]);
    expect(nonFinite).toEqual([2]);
  });

  test("without a reference has no β to divide by", () => {
    expect(read(writeRun(folder(), { header: { ...header, reference_rows: 0 } })).beta).toBeUndefined();
  });

  test.each([1e-320, 1e300, 0, -1, "0.5"])("with a β of %j has none: quotients could not be drawn", (beta) => {
    expect(read(writeRun(folder(), { header: { ...header, beta } })).beta).toBeUndefined();
  });

  test("started from a program has its settings under Hugging Face's names", () => {
    const run = read(writeRun(folder(), { header: { ...header, beta: 0.3, config: { learningRate: 1, adamBeta1: 0.9 } } }));
    expect(configOf(run.header)).toEqual({ learning_rate: 1, adam_beta1: 0.9 });
    expect(run.beta).toBe(0.3);
  });

  test("of another program is read from trainer_state.json, with Python's NaN", () => {
    const path = folder();
    const state = {
      global_step: 3,
      max_steps: 9,
      note: "not NaN, [NaN",
      log_history: historyOf({ steps: 3, isFinished: false }),
    };
    writeFileSync(join(path, "trainer_state.json"), JSON.stringify(state).replace('"loss":0.5', '"loss": NaN'));
    const run = read(path);
    expect(run).toMatchObject({ header: { max_steps: 9 }, totalSteps: 9, beta: undefined, nonFinite: [1] });
    expect(run.lines.map(({ loss }) => loss)).toEqual([undefined, 0.5, 0.5]);
  });

  test("is read from its newest checkpoint where nothing else is", () => {
    const path = folder();
    for (const step of [9, 10]) {
      mkdirSync(join(path, `checkpoint-${step}`));
      const state = { max_steps: 20, log_history: historyOf({ steps: step, isFinished: false }) };
      writeFileSync(join(path, `checkpoint-${step}`, "trainer_state.json"), JSON.stringify(state));
    }
    expect(read(path).lines).toHaveLength(10);
  });
});

describe("a last line that is cut off, as by kill -9 or a power cut,", () => {
  test.each([1, 20, 60])("is left out with a note, after %i bytes", (bytes) => {
    const path = writeRun(folder(), { steps: 4 });
    const file = join(path, "metrics.jsonl");
    const whole = read(path);
    appendFileSync(file, JSON.stringify({ loss: 0.25, "rewards/chosen": 0.5, grad_norm: 1, epoch: 1, step: 5 }).slice(0, bytes));
    const number = readFileSync(file, "utf8").split("\n").length;
    expect(read(path)).toEqual({ ...whole, notes: [`the last line of '${file}', line ${number}, is cut off and was skipped`] });
  });

  test("may be one of zeros, and may lack nothing but its end", () => {
    const path = writeRun(folder(), { steps: 4 });
    const file = join(path, "metrics.jsonl");
    const whole = readFileSync(file, "utf8");
    appendFileSync(file, Buffer.alloc(100));
    expect(read(path).notes).toHaveLength(1);
    writeFileSync(file, whole.trimEnd());
    expect(read(path).notes).toEqual([]);
    expect(read(path).lines).toHaveLength(4);
  });

  test("is not a damaged line in the middle, nor one that ends: those are errors with file and line", () => {
    const path = writeRun(folder(), { steps: 4 });
    const file = join(path, "metrics.jsonl");
    const lines = readFileSync(file, "utf8").split("\n");
    writeFileSync(file, lines.map((line, i) => (i === 2 ? line.slice(0, 9) : line)).join("\n"));
    expect(() => read(path)).toThrow(`Expected JSON in '${file}', line 3 but received`);
    writeFileSync(file, lines.map((line, i) => (i === lines.length - 2 ? line.slice(0, 9) : line)).join("\n"));
    expect(() => read(path)).toThrow(`Expected JSON in '${file}', line ${lines.length - 1} but received`);
  });

  test("is reported even when the file has no other line", () => {
    const path = folder();
    writeFileSync(join(path, "metrics.jsonl"), '{"versions": {"sm');
    expect(() => read(path)).toThrow(/received none; the last line of .*, line 1, is cut off and was skipped/);
  });
});

test("runs of one name are told apart by the folders they are in", () => {
  const root = folder();
  const paths = ["a/run", "b/run", "b/other"].map((path) => writeRun(join(root, path), { steps: 1 }));
  expect(readRuns(paths).map(({ name }) => name)).toEqual(["a/run", "b/run", "other"]);
});

test("a line of a million spaces is read at once", () => {
  const path = writeRun(folder(), { steps: 2 });
  const file = join(path, "metrics.jsonl");
  writeFileSync(file, readFileSync(file, "utf8").replace("{", `{${",  ".repeat(300_000)}`));
  const start = performance.now();
  expect(() => read(path)).toThrow(/Expected JSON in '.*metrics\.jsonl', line 1/);
  expect(performance.now() - start).toBeLessThan(2000); // milliseconds; it took minutes
});

describe("bad input", () => {
  const messageOf = (path: string): string => {
    try {
      read(path);
    } catch (error) {
      expect(error).toBeInstanceOf(InputError);
      return (error as Error).message.replaceAll(path, "RUN");
    }
    throw new Error("it was read");
  };

  test("no folder, or a file", () => {
    expect(messageOf("nowhere/at/all")).toBe("Expected the folder of a run at 'RUN' but there is none");
    const path = writeRun(folder());
    expect(messageOf(join(path, "metrics.jsonl"))).toBe(
      "Expected the folder of a run at 'RUN' but it is a file; name the folder it is in",
    );
  });

  test("a folder without metrics", () => {
    const path = folder();
    expect(messageOf(path)).toMatch(
      /^Expected metrics\.jsonl or trainer_state\.json in 'RUN' but received no file; name the output_dir/,
    );
    writeFileSync(join(path, "adapter_config.json"), "{}");
    expect(messageOf(path)).toMatch(/but received 'adapter_config\.json';/);
  });

  test("a run that has logged nothing", () => {
    expect(messageOf(writeRun(folder(), { steps: 0, isFinished: false }))).toMatch(
      /^Expected logged steps in 'RUN\/metrics\.jsonl' but received none/,
    );
  });

  test("a broken line", () => {
    const path = writeRun(folder(), { steps: 2 });
    appendFileSync(join(path, "metrics.jsonl"), '{"loss": 0.5, "st\n');
    expect(messageOf(path)).toMatch(/^Expected JSON in 'RUN\/metrics\.jsonl', line 5 but received \{"loss": 0\.5, "st \(/);
    const other = writeRun(folder(), { steps: 2 });
    appendFileSync(join(other, "metrics.jsonl"), "[1]\n");
    expect(messageOf(other)).toBe("Expected a JSON object in 'RUN/metrics.jsonl', line 5 but received [1]");
  });

  test("a state without a history", () => {
    const path = folder();
    writeFileSync(join(path, "trainer_state.json"), '{"log_history": 3}');
    expect(messageOf(path)).toBe("Expected a list of logged lines for 'log_history' in 'RUN/trainer_state.json' but received 3");
  });
});
