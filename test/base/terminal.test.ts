import { expect, test } from "vitest";
import { printable } from "../../src/base/terminal";

test("control characters are shown, not obeyed", () => {
  expect(printable("a\x1b]0;title\x07\x1b[2J\x9b2J\x7f\r")).toBe("a\\x1b]0;title\\x07\\x1b[2J\\x9b2J\\x7f\\x0d");
  expect(printable("\u202egnp.exe")).toBe("\\u202egnp.exe");
});

test("text, tabs and newlines stay as they are", () => {
  const text = "naïve\t日本語 👩‍👩‍👧\nline";
  expect(printable(text)).toBe(text);
});
