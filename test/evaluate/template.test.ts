import { expect, test } from "vitest";
import { Template } from "../../src/evaluate/template";

const render = async (source: string, row: Record<string, unknown>) => (await Template.parse(source, "'doc_to_text'")).render(row);

test("templates of tasks have Jinja's functions, and Python's methods", async () => {
  const row = { größe: "x", choices: { text: ["a", "b"], label: ["A", "B"] }, answer: "B", right: true, q: " two  words\n" };
  expect(await render("{% for i in range(2) %}{{ i }}{% endfor %}", row)).toBe("01");
  expect(await render("{{ größe }}{{ ['n', 'y'][right] }}{{ q.strip().split() | join('_') }}", row)).toBe("xytwo_words");
  expect(await render("{{ choices.label.index(answer) }}", row)).toBe("1");
  expect(await render("{{ q | regex_replace('(\\\\w+)\\\\s+(\\\\w+)', '\\\\2-\\\\1') }}", row)).toBe(" words-two\n");
  expect(await render("{{ 'aXbXc' | regex_replace('X', '', 1) }}\n", row)).toBe("abXc\n");
});

test("names the column that the row lacks", async () => {
  await expect(render("{{ a }}{{ b }}", { a: 1, c: 2 })).rejects.toThrow("Expected the column 'b', which a template of the task names, but the row has only 'a', 'c'");
  await expect(render("{{ b }}", {})).rejects.toThrow("but the row has no columns");
  expect(await render("{% if b is defined %}{{ b }}{% endif %}-", { a: 1 })).toBe("-");
  await expect(render("\n{{ a.x }}", { a: {} })).rejects.toThrow("for 'doc_to_text' but it failed: line 2: 'dict object' has no attribute 'x'");
  await expect(render("{{ 'a' | regex_replace('(?i)a', '') }}", {})).rejects.toThrow("'(?i)' in the pattern of regex_replace is not supported");
});
