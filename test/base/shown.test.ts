import { expect, test } from "vitest";
import { shown } from "../../src/base/values";

test.each([
  [NaN, "NaN"],
  [-Infinity, "-Infinity"],
  [0.5, "0.5"],
  ["a", '"a"'],
  [undefined, "nothing"],
])("a value in a message: %j", (value, text) => {
  expect(shown(value)).toBe(text);
});
