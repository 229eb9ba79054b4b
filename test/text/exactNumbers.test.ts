import { expect, test } from "vitest";
import { PyFloat } from "../../src/jinja/float";
import {
  copyNumbers,
  exactEntries,
  hasNumber,
  numberOf,
  parseExact,
  rememberEntries,
  rememberNumbers,
  withExactNumbers,
} from "../../src/text/exactNumbers";

/** A value as JavaScript reads it, with its numbers remembered. */
function read(text: string): Record<string, unknown> {
  const value = JSON.parse(text) as Record<string, unknown>;
  rememberNumbers(value, parseExact(text, "a test"));
  return value;
}

test("a number is read as in Python, and stays a JavaScript number where that is the same", () => {
  expect(["3", "0.1", "1e-07", "-7"].map(numberOf)).toEqual([3, 0.1, 1e-7, -7]);
  expect(["20.0", "1e5", "-0.0", "1e400"].map(numberOf)).toEqual([
    new PyFloat(20),
    new PyFloat(100_000),
    new PyFloat(-0),
    new PyFloat(Infinity),
  ]);
  expect(["-0", "9007199254740993"].map(numberOf)).toEqual([0n, 9007199254740993n]);
  expect(() => parseExact(`[${"1".repeat(4301)}]`, "line 3")).toThrow("in line 3 but received an integer of 4301 digits");
});

test("a value is JavaScript's, but Python's for a template", () => {
  const value = read('{"a": 20.0, "b": [{"c": 1e3}, 2], "d": "20.0"}');
  expect(value).toEqual({ a: 20, b: [{ c: 1000 }, 2], d: "20.0" });
  expect(withExactNumbers(value)).toEqual({ a: new PyFloat(20), b: [{ c: new PyFloat(1000) }, 2], d: "20.0" });
  expect(value).toEqual({ a: 20, b: [{ c: 1000 }, 2], d: "20.0" });
});

test("a value without such numbers is not copied", () => {
  const value = read('{"a": [1, 0.5], "b": {"c": "x"}}');
  expect(withExactNumbers(value)).toBe(value);
});

test("a changed number is used as it is", () => {
  const value = read('{"a": 20.0, "b": 30.0, "c": 40.0}');
  Object.assign(value, { a: 21, b: "30.0" });
  delete value.c;
  expect(withExactNumbers(value)).toEqual({ a: 21, b: "30.0" });
});

test("copies around a part, and registered copies of a part, keep its numbers", () => {
  const { part } = read('{"part": {"a": 20.0}}') as { part: object };
  const copy = { ...part };
  copyNumbers(part, copy);
  expect(withExactNumbers({ x: [part, copy] })).toEqual({ x: [{ a: new PyFloat(20) }, { a: new PyFloat(20) }] });
});

test("what a copy in another thread loses can be sent with it", () => {
  const text = '{"a": [20.0, NaN], "b": {"c": 9007199254740993}}';
  const value = parseExact(text, "a test");
  const plain = { a: [20, NaN], b: { c: 9007199254740992 } };
  rememberNumbers(plain, value);
  const sent = structuredClone({ value: plain, entries: exactEntries(plain) });
  expect(sent.entries).toEqual([
    [["a", 0], 20],
    [["a", 1], NaN],
    [["b", "c"], 9007199254740993n],
  ]);
  rememberEntries(sent.value, sent.entries);
  expect(withExactNumbers(sent.value)).toEqual({ a: [new PyFloat(20), new PyFloat(NaN)], b: { c: 9007199254740993n } });
});

test("finds numbers at any depth, but not in strings", () => {
  expect(hasNumber({ a: [{ b: [null, 0] }] })).toBe(true);
  expect(hasNumber({ a: [{ b: ["1", true, null] }], c: {} })).toBe(false);
});
