import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { presets } from "../../../src/paper/settings";
import { cellName, cellsOf, paperStudy, type Study } from "../../../src/paper/study/plan";
import { runStudy, type StudyResult } from "../../../src/paper/study/run";
import { generatedCorpora, SmallModel } from "../../../src/paper/study/smallModel";
import { getNumThreads, memory, setNumThreads } from "../../../src/torch";
import { temporaryFolders } from "../../models/folders";
import { settledTensors } from "../../setup/garbage";

const folder = temporaryFolders();
/** A grid of 2 instead of 9: 8 cells for low and for high edit distance, 7 for the control. */
const study: Study = { ...paperStudy, betas: [0.3], lambdas: [5, 50] };
const CELLS = 23;
/** One for each task. */
const REFERENCES = 2;
/** The same comparison without the grid and the control. */
const small: Study = { ...study, corpora: ["low", "high"], grid: [] };
const SMALL_CELLS = 14;

interface Watched {
  result?: StudyResult;
  /** Labels of the phases that were started. */
  phases: string[];
  finished: number;
}

/** Runs a study; with `stopAt` it is broken off when so many phases were started. */
async function run(path: string, { seeds = [3], of = presets.smoke, plan = study, stopAt = Infinity } = {}): Promise<Watched> {
  const watched: Watched = { phases: [], finished: -1 };
  const options = {
    preset: "test",
    study: plan,
    subject: new SmallModel(path, generatedCorpora(of), "A small model."),
    seeds,
    folder: path,
    startPhase: (label: string) => {
      watched.phases.push(label);
      if (watched.phases.length > stopAt) throw new Error("stopped");
      return { update: () => {}, finish: () => {} };
    },
    onPlan: (_cells: number, finished: number) => void (watched.finished = finished),
  };
  const running = runStudy(options);
  if (stopAt < Infinity) await expect(running).rejects.toThrow("stopped");
  else watched.result = await running;
  return watched;
}

/** The folder of a run of seeds 3 and 4 that nothing interrupted, and what it gave. Tests that write take a copy. */
let finished: string;
let uninterrupted: Watched;
let tensorsLeft: number;
beforeAll(async () => {
  finished = folder();
  await run(join(folder(), "first"), { stopAt: 2 }); // what is created once and kept
  const before = await settledTensors();
  uninterrupted = await run(finished, { seeds: [3, 4] });
  tensorsLeft = memory().tensors - before;
});

/** What the finished run gave for one of its seeds. */
const ofSeed3 = async () => (await run(finished)).result!;

/** All numbers but the time they took. */
const numbers = ({ cells, references }: StudyResult) => [...cells, ...references].map((part) => ({ ...part, seconds: 0 }));

test("a run that was stopped goes on where it was, and comes to the same numbers bit for bit", async () => {
  const parts = join(folder(), "parts");
  expect(uninterrupted.phases).toHaveLength(2 * (CELLS + REFERENCES));

  expect((await run(parts, { seeds: [3, 4], stopAt: 6 })).finished).toBe(0); // the reference and five cells
  expect(readdirSync(join(parts, "cells")).sort()).toEqual(
    cellsOf(study, 3)
      .slice(0, 5)
      .map((cell) => `${cellName(cell)}.json`)
      .sort(),
  );
  const rest = await run(parts, { seeds: [3, 4] });
  expect(rest.finished).toBe(5);
  expect(rest.phases).toHaveLength(2 * CELLS - 5 + 3); // and the references that were not there
  expect(numbers(rest.result!)).toEqual(numbers(uninterrupted.result!));

  const again = await run(parts, { seeds: [3, 4] });
  expect(again.phases).toEqual([]);
  expect(again.result).toEqual(rest.result);
  expect((await run(parts, { seeds: [4] })).result!.cells.map(({ seed }) => seed)).toEqual(Array(CELLS).fill(4));
});

test("cells of other settings, and ones that cannot be read, are made anew", async () => {
  const path = folder(finished);
  const file = (cell: number) => join(path, "cells", `${cellName(cellsOf(study, 3)[cell]!)}.json`);
  const text = readFileSync(file(2), "utf8");
  writeFileSync(file(2), text.slice(0, text.length / 2));
  rmSync(file(4));
  const modified = statSync(file(3)).mtimeMs;
  const mended = await run(path);
  expect(mended.phases).toEqual([uninterrupted.phases[3], uninterrupted.phases[5]]); // the reference's phase is first
  expect(numbers(mended.result!)).toEqual(numbers(await ofSeed3()));
  expect(statSync(file(3)).mtimeMs).toBe(modified);

  const { smoke } = presets;
  const slower = { ...smoke, preference: { ...smoke.preference, learningRate: 1e-4 } };
  const other = await run(path, { of: slower, plan: small });
  expect(other.finished).toBe(0);
  expect(other.phases).toHaveLength(SMALL_CELLS); // the references are the same
  const wider = { ...smoke, sft: { ...smoke.sft, learningRate: 1e-3 } };
  expect((await run(path, { of: wider, plan: small })).phases).toHaveLength(SMALL_CELLS + REFERENCES);
});

test("a reference without the file that says what it is, is made anew", async () => {
  const path = join(folder(), "study");
  const first = await run(path, { stopAt: 3 });
  const training = join(path, "references/seed-3_arithmetic/training.json");
  expect(existsSync(join(path, "references/seed-3_arithmetic/model.safetensors"))).toBe(true);
  rmSync(training);
  const second = await run(path, { stopAt: 1 });
  expect(second.phases[0]).toBe(first.phases[0]);
  expect(JSON.parse(readFileSync(training, "utf8"))).toMatchObject({ result: { steps: 16, reachedGoal: false } });
});

test("all methods of a seed start from one reference; in the control the chosen answers are those of low distance", async () => {
  const result = await ofSeed3();
  const at = (corpus: string, method: string) => result.cells.find((cell) => cell.corpus === corpus && cell.method === method)!;
  for (const corpus of study.corpora) {
    const start = at(corpus, "reference").curve[0];
    for (const method of ["sft", "dpo", "ipo", "slic", "hinge", "dpop"]) {
      expect(at(corpus, method).curve[0]).toEqual(start);
      expect(at(corpus, method).measures).not.toEqual(at(corpus, "reference").measures);
    }
  }
  const [low, high, control] = study.corpora.map((corpus) => at(corpus, "reference"));
  expect(control!.measures.chosen_logp).toBe(low!.measures.chosen_logp);
  expect(control!.measures.rejected_logp).not.toBe(low!.measures.rejected_logp);
  expect(low!.editDistance).toBeLessThan(0.1); // 1 or 2 of 22 to 31 tokens
  expect(control!.editDistance).toBeGreaterThan(0.5);
  expect(high!.editDistance).toBeGreaterThan(0.8);
  // Plain SFT reads the chosen answers alone.
  expect(at("control", "sft").measures.chosen_logp).toBe(at("low", "sft").measures.chosen_logp);
});

test("DPO in the study is DPO in the small experiment", async () => {
  const { runExperiment } = await import("../../../src/paper/experiment");
  const startPhase = () => ({ update: () => {}, finish: () => {} });
  const small = await runExperiment({ seed: 3, preset: "smoke", startPhase });
  const result = await ofSeed3();
  for (const method of ["reference", "sft", "dpo", "dpop"] as const) {
    const cell = result.cells.find(
      (each) => each.corpus === "low" && each.method === method && (each.lambda === null || each.lambda === 50),
    )!;
    expect(cell.measures).toEqual(small.methods[method].measures);
    expect(cell.curve).toEqual(small.methods[method].curve);
  }
});

test("leaves no tensor behind, and the number of threads as it was", async () => {
  expect(tensorsLeft).toBe(0);
  const threads = getNumThreads();
  setNumThreads(2);
  await run(join(folder(), "second"), { plan: { ...small, corpora: ["control"] } });
  expect(getNumThreads()).toBe(2);
  setNumThreads(threads);
});
