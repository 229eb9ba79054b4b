import { expect, test, vi } from "vitest";
import { runExperiment } from "../../src/paper/experiment";
import { METHOD_NAMES, METHODS, toSummary } from "../../src/paper/summary";
import { getNumThreads, setNumThreads } from "../../src/torch";
import { settledTensors } from "../setup/garbage";

const run = async (seed: number) => {
  const phases: string[] = [];
  const result = await runExperiment({
    seed,
    preset: "smoke",
    startPhase: (label) => {
      phases.push(label);
      return { update: vi.fn(), finish: vi.fn() };
    },
  });
  return { result, phases };
};

test("the same seed gives the same numbers bit for bit, another seed others", async () => {
  const numbers = async (seed: number) => ({ ...(await run(seed)).result, seconds: 0 });
  const first = await numbers(6);
  expect(await numbers(6)).toEqual(first);
  expect((await numbers(7)).methods.reference.measures).not.toEqual(first.methods.reference.measures);
});

test("all methods start from the reference and are measured on the same rows", async () => {
  const { result, phases } = await run(8);
  expect(phases).toEqual(METHODS.map((method) => METHOD_NAMES[method]));
  const atStart = result.methods.reference.curve[0]!;
  for (const method of ["sft", "dpo", "dpop"] as const) {
    const { curve, positions, measures } = result.methods[method];
    expect(curve[0]).toEqual(atStart);
    expect(curve.map(({ step }) => step)).toEqual([0, 2, 4]);
    expect(curve.at(-1)).not.toEqual(atStart);
    expect(positions.map(({ position, tokens }) => [position, tokens])).toEqual(
      result.methods.reference.positions.map(({ position, tokens }) => [position, tokens]),
    );
    expect(measures).not.toEqual(result.methods.reference.measures);
  }
  expect(toSummary(result)).toMatchObject({
    rows: { sft: 200, pairs: 24, held_out: 8, refused: 0 },
    reference_training: { steps: 16, reached_goal: false },
  });
});

test("leaves no tensor behind, and the number of threads as it was", async () => {
  await run(9);
  const threads = getNumThreads();
  setNumThreads(2);
  const before = await settledTensors();
  await run(9);
  expect(await settledTensors()).toBe(before);
  expect(getNumThreads()).toBe(2);
  setNumThreads(threads);
});
