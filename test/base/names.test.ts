import { describe, expect, test } from "vitest";
import { didYouMean, kebabCase, nearest, snakeCase } from "../../src/base/names";

describe("the nearest name", () => {
  test.each([
    ["lamda", ["beta", "lambda"], "lambda"],
    ["learning_rate", ["learningRate", "lr"], "learningRate"],
    ["warmup", ["warmupSteps", "totalSteps"], "warmupSteps"], // part of one name
    ["lora_alpha", ["r", "alpha", "dropout"], "alpha"], // contains one name
    ["steps", ["warmupsteps", "totalsteps"], undefined], // part of two names
    ["epochs", ["beta", "lambda"], undefined],
    ["anything", [], undefined],
  ])("to %s", (name, names, expected) => {
    expect(nearest(name, names)).toBe(expected);
    expect(didYouMean(name, names)).toBe(expected === undefined ? "" : `; did you mean '${expected}'?`);
  });
});

test("names as files and as command lines write them", () => {
  expect(["beta", "learningRate", "fAlphaDivergenceCoef"].map(snakeCase)).toEqual([
    "beta",
    "learning_rate",
    "f_alpha_divergence_coef",
  ]);
  expect(kebabCase("maxNewTokens")).toBe("max-new-tokens");
});
