/** Expected values: Python's `ast.literal_eval`. */
import { describe, expect, test } from "vitest";
import { type Literal, pythonLiteral } from "../../src/evaluate/python/literal";

test.each<[string, Literal]>([
  [`['a', "it's", '''b\n"c"''']`, ["a", "it's", 'b\n"c"']],
  [` 'a' "b"\tu'c'`, "abc"],
  [`["a"\n"b" # one text\n]`, ["ab"]],
  [String.raw`'\'\\\x41\u00e9\U0001f600\101\q\t'`, "'\\A\u00e9\u{1F600}A\\q\t"],
  [String.raw`r'\n'`, "\\n"],
  ["'a\\\nb'", "ab"],
  ["(1, 2.5, -3,)", [1, 2.5, -3]],
  ["(1)", 1],
  ["()", []],
  ["1, 'a'", [1, "a"]],
  ["[], # one", [[]]],
  ["(1,)", [1]],
  ["[1e3, .5, 2., 0x1F, 0b11, 1_000, 00]", [1000, 0.5, 2, 31, 3, 1000, 0]],
  ["{'a': [True, False, None], 'b': {}}", { a: [true, false, null], b: {} }],
  ["{1, 2}", [1, 2]],
  ["\n+7 \n", 7],
])("reads %s", (text, value) => {
  expect(pythonLiteral(text)).toEqual(value);
});

describe("rejects what Python cannot read or is not supported:", () => {
  test.each([
    "",
    "a",
    "[a]",
    "['a'",
    "['a' 1]",
    "['a',, 'b']",
    "'a",
    "'a\nb'",
    "01",
    "1 2",
    "1__0",
    "Truely",
    "f'{1}'",
    "b'a'",
    String.raw`'\x4'`,
    String.raw`'\N{DASH}'`,
    "{'a': 1, 2}",
    "[1]]",
    "1,,",
    ",",
    "1,\n2",
    "1.2.3",
    "'a'\n'b'",
  ])("%j", (text) => {
    expect(() => pythonLiteral(text)).toThrow(SyntaxError);
  });

  test("too many levels", () => {
    expect(() => pythonLiteral("[".repeat(100_000))).toThrow("at most 200 levels of lists");
  });
});
