import { expect, test } from "vitest";
import { cellName, cellsOf, lossOfCell, paperStudy, STUDY_METHODS } from "../../../src/paper/study/plan";
import { createLoss } from "../../../src/preference";

const cells = cellsOf(paperStudy, 4);

test("every method and the whole grid are there once at both edit distances", () => {
  expect(new Set(cells.map(cellName)).size).toBe(cells.length);
  const control = cells.filter(({ corpus }) => corpus === "control");
  expect(control.map(({ method }) => method)).toEqual(STUDY_METHODS);
  for (const corpus of ["low", "high"]) {
    const here = cells.filter((cell) => cell.corpus === corpus);
    // Seven compared, one of them in the grid of 9; DPO at two more betas.
    expect(here).toHaveLength(7 + 8 + 2);
    expect(new Set(here.map(({ method }) => method))).toEqual(new Set(STUDY_METHODS));
    const grid = here.filter(({ method }) => method === "dpop").map(({ beta, lambda }) => `${beta} ${lambda}`);
    expect(grid.sort()).toEqual(["0.1 5", "0.1 50", "0.1 500", "0.3 5", "0.3 50", "0.3 500", "1 5", "1 50", "1 500"]);
    expect(
      here
        .filter(({ method }) => method === "dpo")
        .map(({ beta }) => beta)
        .sort(),
    ).toEqual([0.1, 0.3, 1]);
  }
});

test("cells are named after all that sets them apart", () => {
  expect(cellName({ seed: 4, corpus: "low", method: "dpop", beta: 0.3, lambda: 50 })).toBe("seed-4_low_dpop_beta-0.3_lambda-50");
  expect(cellName({ seed: 0, corpus: "high", method: "sft", beta: null, lambda: null })).toBe("seed-0_high_sft");
});

test("each trained cell has the loss of its name, with its own beta and lambda", () => {
  const losses = cells.map((cell) => ({ cell, loss: lossOfCell(cell) }));
  const names = new Map(losses.map(({ cell, loss }) => [cell.method, loss && createLoss(loss).name]));
  expect(Object.fromEntries(names)).toEqual({
    reference: null,
    sft: "sft",
    dpo: "sigmoid",
    ipo: "ipo",
    slic: "slic",
    hinge: "hinge",
    dpop: "dpop",
  });
  for (const { cell, loss } of losses) if (cell.beta !== null) expect(loss!.beta).toBe(cell.beta);
  expect(lossOfCell({ seed: 0, corpus: "low", method: "dpop", beta: 1, lambda: 500 })).toEqual({
    lossType: "dpop",
    beta: 1,
    dpopLambda: 500,
  });
  expect(lossOfCell(cells.find(({ method }) => method === "slic")!)).toEqual({ lossType: "slic", beta: 1, slicLambda: 0.1 });
});
