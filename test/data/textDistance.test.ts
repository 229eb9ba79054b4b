import fc from "fast-check";
import { expect, test } from "vitest";
import { textDistances } from "../../src/data/rows/editDistance";
import { levenshtein } from "./levenshtein";

test.each([
  ["16 * 47 = 752. So 752", "16 * 47 = 812. So 752", 2 / 21, 1 / 7],
  ["a b", "a b", 0, 0],
  ["a  b\n", "a b", 2 / 5, 0],
  ["", "a b", 1, 1],
  ["ab cd", "ab d", 1 / 5, 1 / 2],
  ["xay", "xaay", 1 / 4, 1],
])("%j and %j", (a, b, characters, words) => {
  const { character, word } = textDistances(a, b);
  expect(character).toBeCloseTo(characters, 12);
  expect(word).toBeCloseTo(words, 12);
});

test("putting aside what the texts begin and end with changes no distance", () => {
  const text = fc.array(fc.constantFrom("a", "b", "ab", " ", "\n", "é"), { maxLength: 12 }).map((parts) => parts.join(""));
  const share = (a: string[], b: string[]) => levenshtein(a, b) / Math.max(a.length, b.length, 1);
  const words = (whole: string) => whole.match(/\S+/g) ?? [];
  fc.assert(
    fc.property(text, text, (a, b) => {
      const { character, word } = textDistances(a, b);
      expect(character).toBeCloseTo(share([...a], [...b]), 12);
      expect(word).toBeCloseTo(share(words(a), words(b)), 12);
    }),
  );
});

test("texts of any length", () => {
  const long = "word ".repeat(3000);
  expect(textDistances(`${long}a`, `${long}b`)).toEqual({ character: 1 / 15_001, word: 1 / 3001 });
  expect(textDistances("a b", `a ${long}`).word).toBeCloseTo(3000 / 3001, 12);
});

test("words are what JavaScript's white space separates", () => {
  const spaces = [
    "\t",
    "\n",
    "\v",
    "\f",
    "\r",
    " ",
    "\u00a0",
    "\u1680",
    "\u2003",
    "\u2028",
    "\u2029",
    "\u202f",
    "\u3000",
    "\ufeff",
  ];
  for (const space of spaces) expect(textDistances(`x${space}y`, `x${space}z`).word).toBe(1 / 2);
  for (const other of ["\u200b", "\u0085", "\u180e", "\0"]) expect(textDistances(`x${other}y`, `x${other}z`).word).toBe(1);
});
