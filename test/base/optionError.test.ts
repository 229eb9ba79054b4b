import { describe, expect, test } from "vitest";
import { lora } from "../../src";
import { OptionError } from "../../src/base/errors";
import { snakeCase } from "../../src/base/names";
import { planLora } from "../../src/nn";
import { tinyModel } from "../train/tiny";

describe("OptionError", () => {
  test("spells options as code does, and as a reader of files asks for", () => {
    const error = new OptionError("maxSteps", (spell) => `Expected 1 for '${spell("maxSteps")}' with '${spell("seed")}'`);
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({ option: "maxSteps", message: "Expected 1 for 'maxSteps' with 'seed'" });
    expect(error.spelled(snakeCase)).toBe("Expected 1 for 'max_steps' with 'seed'");
  });

  test.each<[string, Parameters<typeof lora>[0], RegExp]>([
    [
      "targetModules",
      { targetModules: ["nope"] },
      /^Expected names of linear layers for 'TARGETMODULES' but received \["nope"\]/,
    ],
    ["modulesToSave", { modulesToSave: ["nope"] }, /^Expected names of modules for 'MODULESTOSAVE' but received \["nope"\]/],
  ])("is what a LoRA configuration gets that does not fit the model: %s", (option, config, spelled) => {
    const model = tinyModel();
    let thrown: unknown;
    try {
      planLora(model, lora(config), "default");
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(OptionError);
    expect((thrown as OptionError).option).toBe(option);
    expect((thrown as OptionError).spelled((name) => name.toUpperCase())).toMatch(spelled);
    model.dispose();
  });
});
