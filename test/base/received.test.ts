import { expect, test } from "vitest";
import { received } from "../../src/base/received";

class Model {}

test.each<[unknown, string]>([
  [undefined, "nothing"],
  [null, "null"],
  [0.5, "0.5"],
  [3n, "3n"],
  ["a\u001b[31m\u009b", String.raw`"a\u001b[31m\x9b"`], // no control character reaches a terminal
  ["x".repeat(50), `"${"x".repeat(40)}…"`],
  [Promise.resolve(), "a Promise; await it"],
  [Model, "the function Model"],
  [() => 1, "a function"],
  [new Model(), "an object of class Model"],
  [{ prompt: 1, chosen: 2 }, "an object with prompt, chosen"],
  [Object.create(null), "an empty object"],
  [["a", 1, [2, 3], 4], `["a", 1, a list of 2, …]`],
])("describes %o", (value, expected) => {
  expect(received(value)).toBe(expected);
});
