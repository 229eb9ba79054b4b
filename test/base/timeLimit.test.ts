import { expect, test } from "vitest";
import { InputError } from "../../src/base/errors";
import { checkPatternSize, compilePattern, Pattern } from "../../src/base/patterns";
import { allowance, TimeLimitError, withinTime } from "../../src/base/timeLimit";

const text = `${"a".repeat(40)}!`;

test.each([
  ["nested repetitions", /(a+)+$/],
  ["alternatives that overlap", /^(a|a)*$/],
  ["a lookahead", /^(?=(a+)+$)/],
  ["a lookbehind", /(?<=^(a+)+)\$/],
  ["a backreference", /^(a+)\1*(a|\1)*(a|\1)*(a|\1)*(a|\1)*(a|\1)*(a|\1)*b/],
])("stops %s", (_, pattern) => {
  const start = performance.now();
  const work = () =>
    withinTime(
      0.1,
      () => pattern.test(text.repeat(5)),
      (seconds) => `not within ${seconds} s`,
    );
  expect(work).toThrow(TimeLimitError);
  expect(performance.now() - start).toBeGreaterThan(90);
});

test("returns what the work returns, and throws what it throws", () => {
  expect(
    withinTime(
      5,
      () => [1, 2],
      () => "late",
    ),
  ).toEqual([1, 2]);
  const error = new TypeError("mine");
  expect(() =>
    withinTime(
      5,
      () => {
        throw error;
      },
      () => "late",
    ),
  ).toThrow(error);
  expect(
    withinTime(
      5,
      () => "after",
      () => "late",
    ),
  ).toBe("after");
});

test("names the innermost work that is too slow", () => {
  const inner = () =>
    withinTime(
      60,
      () => /(a+)+$/.test(text),
      () => "the inner one",
    );
  expect(() =>
    withinTime(
      0.2,
      () => inner(),
      () => "the outer one",
    ),
  ).toThrow("the inner one");
  expect(() =>
    withinTime(
      0.2,
      () => {
        withinTime(
          60,
          () => 1,
          () => "inner",
        );
        for (;;);
      },
      () => "the outer one",
    ),
  ).toThrow("the outer one");
});

test("does not stop a process that gets no processor time", () => {
  // Waits as a process does whose machine is busy; the first limit passes without a quarter of it spent.
  const wait = new Int32Array(new SharedArrayBuffer(4));
  let runs = 0;
  const work = () => {
    Atomics.wait(wait, 0, 0, 150);
    return ++runs;
  };
  expect(withinTime(0.1, work, () => "late")).toBeGreaterThan(0);
});

test("a pattern says what it is, where it is from, and how long the text is", () => {
  const { seconds } = allowance;
  allowance.seconds = 0.2;
  try {
    const pattern = new Pattern(/(a+)+$/g, "'filter_list' of 'task.yaml'");
    const message = "Expected the regular expression /(a+)+$/ for 'filter_list' of 'task.yaml' to match a text of 41 characters";
    expect(() => pattern.test(text)).toThrow(message);
    expect(() => pattern.matchAll(text)).toThrow(message);
    expect(() => pattern.remove(text)).toThrow(message);
    expect(pattern.matchAll("aa baa").map(([match]) => match)).toEqual(["aa"]); // at the end of the text alone
  } finally {
    allowance.seconds = seconds;
  }
});

test("reports a pattern that runs out of memory", () => {
  const pattern = new Pattern(/^(?:a|b)*c/, "'pattern'");
  expect(() => pattern.test("ab".repeat(20_000_000))).toThrow("but it needs too much memory");
});

test.each([
  ["a".repeat(40_000), "Expected a regular expression of at most 32768 characters for 'x' in f but received 40000"],
  ["a{1,1000000000}", "Expected at most 100000 repetitions in the regular expression for 'x' in f but received {1,1000000000}"],
  ["a{100001,}", "received {100001,}"],
  ["(", "Expected a regular expression for 'x' in f but received /(/: "],
  ["(?<a>b)(?<a>c)", "for 'x' in f but received /(?<a>b)(?<a>c)/: "],
  ["(?P<a>b)", "for 'x' in f but received /(?P<a>b)/: "],
])("refuses case %#", (source, message) => {
  expect(() => compilePattern(source, "u", "'x' in f")).toThrow(InputError);
  expect(() => compilePattern(source, "u", "'x' in f")).toThrow(message);
});

test("accepts the repetition bounds of ordinary patterns", () => {
  expect(() => checkPatternSize("\\p{N}{1,3}|a{100000}|{,|\\{9999999", "'x'")).not.toThrow();
});
