/**
 * The addon under arbitrary input. The programs also run by hand, for longer and with other seeds:
 * `node --require ./test/setup/typescript.cjs test/native/programs/fuzzEntries.ts SEED RUNS`.
 */
import { expect, test } from "vitest";
import { runProgram } from "../setup/program";

interface Outcome {
  calls: number;
  errors: number;
  /** Tensors at the end, when all have been released. */
  left: number;
}

async function fuzz<T extends Outcome>(name: string, seed: number, runs: number): Promise<T> {
  const { value, code, signal, stderr } = await runProgram<T>(new URL(`programs/${name}.ts`, import.meta.url), {
    args: [seed, runs],
  });
  if (code === 0 && value) return value;
  const calls = stderr.split("\n").filter((line) => /^\w+(::\S+)? \[/.test(line));
  throw new Error(
    `${name} with seed ${seed} and ${runs} runs ended with ${signal ?? `code ${code}`} at\n${calls.at(-1)}\n${stderr.slice(-1500)}`,
  );
}

test("every native entry point answers anything with a value or an Error", async () => {
  const outcome = await fuzz<Outcome & { missing: string[] }>("fuzzEntries", 1, 300);
  expect(outcome).toMatchObject({ missing: [], left: 0 });
  expect(outcome.calls).toBeGreaterThan(5000);
  expect(outcome.calls - outcome.errors).toBeGreaterThan(1000); // not all of them are refused at the door
});

test("operators answer plausible arguments with a value or an Error, and leave nothing when they throw", async () => {
  const outcome = await fuzz<Outcome & { operators: number }>("fuzzOperators", 1, 6000);
  expect(outcome).toMatchObject({ calls: 6000, left: 0 });
  expect(outcome.operators).toBeGreaterThan(2900);
  expect(outcome.calls - outcome.errors).toBeGreaterThan(1000);
});
