import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Random } from "../../../src/base/random";
import { corruptIntermediateResult, intermediateResults } from "../../../src/data/recipes/corruption";
import { levenshtein } from "../levenshtein";

const found = (text: string) => intermediateResults(text).map(({ start, end }) => text.slice(start, end));

/** The example of the paper's datasheet, from MetaMathQA. */
const FOOTBALL = `Each player requires a $25 jersey, a $15.20 pair of shorts, and a pair of socks priced at $6.80.
So, the total cost for each player is $25 + $15.20 + $6.80 = $47.
Since there are sixteen players on the football team, the total cost for all of them is 16 * $47 = $752.
#### 752
The answer is: 752`;

describe("intermediate results", () => {
  test.each([
    ["28 + 10 = 38. 38 - 18 = 20. #### 20", ["38", "20"]],
    ["a total of $25 + $15.20 = $40.20, and", ["40.20"]],
    ["3 * 500 = 1,500 pounds", ["1,500"]],
    ["12 * 100,000 = $1,200,000.50!", ["1,200,000.50"]],
    ["5 - 9 = -4 degrees", ["4"]],
    ["10 / 4 = 2.5%", ["2.5"]],
    ["half of it = .5", [".5"]],
    ["<<48/2=24>>24 clips", ["24"]],
    ["so $2 + 3 = 5$ and \\(4 + 4 = 8\\)", ["5", "8"]],
    ["1 - 1/4 = 3/4 of it, 400/4 = 100, so 1/2 + 1/2 = 2/2 = 1", ["3/4", "100", "1"]],
    ["$x = \\frac{1}{2} + \\frac{1}{4} = \\frac{3}{4}$ and \\(y = \\dfrac{12}{7}\\)", ["\\frac{3}{4}", "\\dfrac{12}{7}"]],
    ["\\begin{align*} 2x &= 6 \\\\ x &=3 \\end{align*}", ["6", "3"]],
    ["$x = 90^\\circ$, $y = 180^{\\circ} - 90^\\circ = 90^{\\circ}$", ["90", "90"]],
    ["40% of 50 = 20\\%, or $\\$5 = \\$5$", ["20", "5"]],
    ["2 + 2 = 4 \\text{ dollars}", ["4"]],
    ["1 + 1 = 2\n- 5 are left", ["2"]],
  ])("%j has %j", (text, results) => {
    expect(found(text)).toEqual(results);
  });

  test.each([
    ["the start of an expression", "x = 3 + 4, y = 3 * 4, z = 25 x 4, w = 2(3 + 4)"],
    ["a power, a ratio, a date", "b = 10^2, c = 3:45, d = 10**3, e = 1/2/2024"],
    [
      "an expression in LaTeX",
      "a = 2\\pi, b = 3 \\times 4, c = \\frac{1}{2}x, d = \\frac{1}{2} + \\frac{x}{3}, e = \\frac{x}{3}",
    ],
    ["the answer in a box", "thus 6 * 7 = \\boxed{42}. The answer is: 42"],
    ["a number that is part of a word", "x = 3y, n = 4th, v = 5_000"],
    ["a comparison", "x >= 5, y <= 6, z != 7"],
    ["numbers without an equals sign", "She sold 48 clips and then 24 more."],
    ["the statement of the answer", "#### 4 = 4"],
    ["the statement of the answer in words", "The answer is: x = 4"],
  ])("%s is none", (_, text) => {
    expect(found(text)).toEqual([]);
    expect(corruptIntermediateResult(text, new Random(0))).toBeNull();
  });
});

test("the datasheet's example: only one of its two results changes", () => {
  expect(found(FOOTBALL)).toEqual(["47", "752"]);
  const seen = new Set<string>();
  for (let seed = 0; seed < 40; seed++) {
    const { text, start, from, to } = corruptIntermediateResult(FOOTBALL, new Random(seed))!;
    seen.add(from);
    expect(text).toBe(FOOTBALL.slice(0, start) + to + FOOTBALL.slice(start + from.length));
    expect(text.split("#### ")[1]).toBe("752\nThe answer is: 752");
    expect(levenshtein(text.split(/\s+/), FOOTBALL.split(/\s+/))).toBe(1);
  }
  expect(seen).toEqual(new Set(["47", "752"]));
});

describe("the wrong number", () => {
  const numbers = ["7", "47", "1,500", "40.20", ".5", "0.25", "100", "0"];
  test.each(numbers)("has the form of %s and another value", (number) => {
    for (let seed = 0; seed < 50; seed++) {
      const wrong = corruptIntermediateResult(`1 + 1 = ${number} in all`, new Random(seed))!.to;
      expect(wrong.replace(/\d/g, "9")).toBe(number.replace(/\d/g, "9"));
      expect(Number(wrong.replaceAll(",", ""))).not.toBe(Number(number.replaceAll(",", "")));
      expect(Number(wrong.replaceAll(",", ""))).toBeGreaterThan(0);
      if (/^[1-9]/.test(number)) expect(wrong).toMatch(/^[1-9]/);
      if (/^0./.test(number)) expect(wrong).toMatch(/^0/);
    }
  });

  test.each(["1/2", "12/345", "\\frac{3}{4}", "\\dfrac{10}{1,000}"])("has the form of %s and another value", (fraction) => {
    const [over, under] = fraction.match(/[\d,]+/g)!.map((part) => Number(part.replace(",", "")));
    for (let seed = 0; seed < 50; seed++) {
      const { text, to } = corruptIntermediateResult(`x = ${fraction}. #### ${fraction}`, new Random(seed))!;
      expect(text).toBe(`x = ${to}. #### ${fraction}`);
      expect(to.replace(/\d/g, "9")).toBe(fraction.replace(/\d/g, "9"));
      const [a, b] = to.match(/[\d,]+/g)!.map((part) => Number(part.replace(",", "")));
      expect(b).toBeGreaterThan(0);
      expect(a! * under!).not.toBe(b! * over!);
    }
  });

  test("is drawn from all others of the form, each equally likely", () => {
    const counts = new Map<string, number>();
    const random = new Random(5);
    for (let i = 0; i < 8000; i++) {
      const { to } = corruptIntermediateResult("3 + 3 = 6", random)!;
      counts.set(to, (counts.get(to) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual(["1", "2", "3", "4", "5", "7", "8", "9"]);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(160); // five standard deviations
  });

  test("is the same for the same seed", () => {
    const corrupt = () => corruptIntermediateResult(FOOTBALL, new Random(9));
    expect(corrupt()).toEqual(corrupt());
  });
});

test("whatever the text, one number at most is touched and the closing part never", () => {
  const signs = fc.constantFrom("=", " = ", "$", "x", " ", "\n", "+", "-", "\\frac");
  const word = fc.oneof(signs, fc.constantFrom("47", "1,500.25", "#### ", "The answer is: "));
  fc.assert(
    fc.property(fc.array(word, { maxLength: 30 }), fc.nat(), (words, seed) => {
      const text = words.join("");
      const corruption = corruptIntermediateResult(text, new Random(seed));
      if (corruption === null) return;
      const { start, from, to } = corruption;
      expect(corruption.text).toBe(text.slice(0, start) + to + text.slice(start + from.length));
      expect(text.slice(start).startsWith(from)).toBe(true);
      expect(to).not.toBe(from);
      const markers = ["####", "The answer is"].map((marker) => text.lastIndexOf(marker)).filter((at) => at >= 0);
      expect(start).toBeLessThan(Math.min(text.length, ...markers));
    }),
  );
});
