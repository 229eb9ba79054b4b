import { expect, test } from "vitest";
import { parseJsonText, parsePythonJson } from "../../src/base/formats/pythonJson";

const written = (text: string) => parsePythonJson(text, (literal) => `<${literal}>`);

test("reads what JSON.parse reads", () => {
  const text = ' {"a": [1, -2.5e3, true, false, null, {}, [ ]], "b\\"\\\\": "\\u00e9\\n\\\\", "": {"c": "x"}}\n';
  expect(parsePythonJson(text)).toEqual(JSON.parse(text));
});

test("gives every number as it is written", () => {
  expect(written('{"a": 20.0, "b": [1e-07, -0, 12345678901234567890], "c": "20.0"}')).toEqual({
    a: "<20.0>",
    b: ["<1e-07>", "<-0>", "<12345678901234567890>"],
    c: "20.0",
  });
});

test("accepts NaN and the infinities as values", () => {
  expect(parseJsonText('{"a": NaN, "b": [Infinity, -Infinity], "c": "NaN"}')).toEqual({
    a: NaN,
    b: [Infinity, -Infinity],
    c: "NaN",
  });
});

test("the last value of a repeated key wins, at the position of the first", () => {
  expect(Object.entries(parsePythonJson('{"a": 1, "b": 2, "a": 3}') as object)).toEqual([
    ["a", 3],
    ["b", 2],
  ]);
});

test("__proto__ is an ordinary key", () => {
  const value = parsePythonJson('{"__proto__": {"x": 1}}') as object;
  expect(Object.keys(value)).toEqual(["__proto__"]);
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
});

test.each([
  "",
  "{",
  "[1",
  "[1,]",
  '{"a"}',
  '{"a": }',
  "{a: NaN}",
  "nan",
  "+NaN",
  "-NaN",
  "01",
  "1.",
  ".5",
  "NaN NaN",
  '"a',
  '"\n"',
  "'a'",
  '["\\x"]',
  "[NaN",
  "tru",
  "Infinity2",
])("refuses %j, as Python does", (text) => {
  expect(() => parsePythonJson(text)).toThrow(SyntaxError);
});

test("errors are those of JSON.parse, not stack overflows", () => {
  expect(() => parseJsonText('{"a": NaN')).toThrow(/JSON/);
  expect(() => parsePythonJson(`${"[".repeat(100_000)}NaN`)).toThrow("more than 1000 levels");
});
