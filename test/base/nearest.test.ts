import { describe, expect, test } from "vitest";
import { didYouMean, nearest } from "../../src/base/nearest";

describe("the nearest name", () => {
  test.each([
    ["lamda", ["beta", "lambda"], "lambda"],
    ["learning_rate", ["learningRate", "lr"], "learningRate"],
    ["warmup", ["warmupSteps", "totalSteps"], "warmupSteps"], // a part of one
    ["lora_alpha", ["r", "alpha", "dropout"], "alpha"], // one is a part of it
    ["steps", ["warmupsteps", "totalsteps"], undefined], // a part of two
    ["epochs", ["beta", "lambda"], undefined],
    ["anything", [], undefined],
  ])("to %s", (name, names, expected) => {
    expect(nearest(name, names)).toBe(expected);
    expect(didYouMean(name, names)).toBe(expected === undefined ? "" : `; did you mean '${expected}'?`);
  });
});
