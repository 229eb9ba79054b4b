import { expect, test } from "vitest";
import { description, received, receivedInCode } from "../../src/base/values";

class Model {}

class Named {
  [description](): string {
    return "a named thing";
  }
}

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
  [new Named(), "a named thing"],
  [{ prompt: 1, chosen: 2 }, "an object with prompt, chosen"],
  [Object.create(null), "an empty object"],
  [["a", 1, [2, 3], 4], `["a", 1, a list of 2, …]`],
])("describes %o", (value, expected) => {
  expect(received(value)).toBe(expected);
});

test.each<[unknown, string]>([
  [undefined, "undefined"],
  ["x\u001b", String.raw`"x\u001b"`],
  [3n, "3n"],
  [Model, "a function"],
  [new Model(), "an object (Model)"],
  [{ dim: 1, keepdim: true }, "{ dim, keepdim }"],
  [{}, "{  }"],
  [[1, , 3, new Named(), 5], "[1, undefined, 3, a named thing, …]"], // eslint-disable-line no-sparse-arrays
  [[[[1], 2], { dim: 1 }], "[[[…], 2], { dim }]"],
])("describes %o as in a call", (value, expected) => {
  expect(receivedInCode(value)).toBe(expected);
});
