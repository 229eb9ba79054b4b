import { expect, test } from "vitest";
import { printable, printableJson } from "../../src/base/terminal/printable";

test("control characters are shown, not obeyed", () => {
  expect(printable("a\x1b]0;title\x07\x1b[2J\x9b2J\x7f\r")).toBe("a\\x1b]0;title\\x07\\x1b[2J\\x9b2J\\x7f\\x0d");
  expect(printable("\u202egnp.exe")).toBe("\\u202egnp.exe");
});

test("text, tabs and newlines stay as they are", () => {
  const text = "naïve\t日本語 👩‍👩‍👧\nline";
  expect(printable(text)).toBe(text);
});

test("JSON keeps its value and holds nothing that a terminal obeys", () => {
  const value = { "a\u001b": ["\u007f\u009b\u202e\u2069", "é\t\n", 1] };
  const text = printableJson(value);
  expect(text).toBe(String.raw`{"a\u001b":["\u007f\u009b\u202e\u2069","é\t\n",1]}`);
  expect(JSON.parse(text)).toEqual(value);
  expect(printableJson({ a: 1 }, 2)).toBe('{\n  "a": 1\n}');
});
