import { expect, test } from "vitest";
import { RowTemplate } from "../../src/evaluate/tasks/template";

const render = async (source: string, row: Record<string, unknown>) =>
  (await RowTemplate.parse(source, "'doc_to_text'")).render(row);

test("templates of tasks have Jinja's functions, and Python's methods", async () => {
  const row = { größe: "x", choices: { text: ["a", "b"], label: ["A", "B"] }, answer: "B", right: true, q: " two  words\n" };
  expect(await render("{% for i in range(2) %}{{ i }}{% endfor %}", row)).toBe("01");
  expect(await render("{{ größe }}{{ ['n', 'y'][right] }}{{ q.strip().split() | join('_') }}", row)).toBe("xytwo_words");
  expect(await render("{{ choices.label.index(answer) }}", row)).toBe("1");
  expect(await render("{{ q | regex_replace('(\\\\w+)\\\\s+(\\\\w+)', '\\\\2-\\\\1') }}", row)).toBe(" words-two\n");
  expect(await render("{{ 'aXbXc' | regex_replace('X', '', 1) }}\n", row)).toBe("abXc\n");
});

test("names the column that the row lacks", async () => {
  await expect(render("{{ a }}{{ b }}", { a: 1, c: 2 })).rejects.toThrow(
    "Expected the column 'b', which a template of the task names, but the row has only 'a', 'c'",
  );
  await expect(render("{{ b }}", {})).rejects.toThrow("but the row has no columns");
  expect(await render("{% if b is defined %}{{ b }}{% endif %}-", { a: 1 })).toBe("-");
  await expect(render("\n{{ a.x }}", { a: {} })).rejects.toThrow(
    "for 'doc_to_text' but it failed: line 2: 'dict object' has no attribute 'x'",
  );
  await expect(render("{{ 'a' | regex_replace('(?i)a', '') }}", {})).rejects.toThrow(
    "'(?i)' in the pattern of regex_replace is not supported",
  );
});

// What re.sub gives in CPython 3.11.
test.each([
  ["\\w+", "X", "caf\u00e9 \u00df \u65e5\u672c", "X X X"],
  ["\\d", "D", "\u0663 4", "D D"],
  ["\\s+", "_", "a\u00a0b\u001cd\u0085e", "a_b_d_e"],
  ["\\S", "X", "a\ufeffb", "XXX"],
  ["\\b\u00e9", "X", "\u00e9 a", "X a"],
  [".", "X", "a\rb\u2028c\nd", "XXXXX\nX"],
  ["\\s*$", "|", "x \n", "x||"],
  ["[^\\W_]", "X", "\u00e9_!", "X_!"],
  ["[*+]", "X", "*+", "XX"],
  ["\\-|]|{", "X", "a-]{", "aXXX"],
  ["a{,2}", "X", "aaab", "XXXbX"],
  ["x*", "-", "axb", "-a--b-"],
  ["\\b", "|", "a \ud83d\ude00b", "|a| \ud83d\ude00|b|"],
  ["(?P<n>a)|b", "[\\g<n>\\0]", "ab", "[a\u0000][\u0000]"],
  ["(.)\\1+", "<\\1>", "aabccc", "<a>b<c>"],
  ["(?<=a)b(?!c)", "X", "abc ab", "abc aX"],
])("regex_replace of %j by %j in %j is Python's", async (pattern, by, text, expected) => {
  expect(await render("{{ text | regex_replace(pattern, by) }}", { text, pattern, by })).toBe(expected);
});

test.each([
  ["a++", "a++"],
  ["\\p{L}", "\\p"],
  ["(?>a)", "(?>"],
  ["(?(1)a)", "(?("],
  ["\\N{DASH}", "\\N"],
  ["(a", "("],
  ["a)", ")"],
  // JavaScript would match these differently.
  ["(?:a*)+", "(?:a*)+"],
  ["(?:(a)|b)*", "(?:(a)|b)*"],
  ["(a)?\\1", "\\1"],
  ["^|a", "^|a"],
  ["(?<=a*)b", "(?<=a*)"],
])("regex_replace refuses %j", async (pattern, part) => {
  const rendered = render("{{ 'ab' | regex_replace(pattern, '') }}", { pattern });
  await expect(rendered).rejects.toThrow(`'${part}' in the pattern of regex_replace is not supported`);
});

test("a replacement of regex_replace is checked without a match, too", async () => {
  for (const [by, message] of [
    ["\\1", "invalid group reference 1"],
    ["\\q", "bad escape \\q"],
    ["\\", "bad escape \\ "],
    ["\\g<n>", "invalid group reference n"],
  ] as const)
    await expect(render("{{ 'x' | regex_replace('a', by) }}", { by })).rejects.toThrow(message);
  expect(await render("{{ 'aaa' | regex_replace('a', 'b', -1) }}{{ 'aaa' | regex_replace('a', 'b', count=2) }}", {})).toBe(
    "aaabba",
  );
});

test("regex_replace keeps within the limits of templates", async () => {
  const replaced = (count: number, by: string) => render("{{ ('a' * count) | regex_replace('a', by) }}", { count, by });
  await expect(replaced(1_000_000, "b".repeat(1_000_000))).rejects.toThrow("makes a string of");
  await expect(replaced(100_000, "b".repeat(1_000))).rejects.toThrow("makes a string of");
  await expect(render("{{ 'a' | regex_replace('[z-a]', '') }}", {})).rejects.toThrow(
    "Expected a regular expression for 'regex_replace'",
  );
});
