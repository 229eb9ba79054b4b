import { describe, expect, test } from "vitest";
import { didYouMean, nearest } from "../../src/base/nearest";

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
