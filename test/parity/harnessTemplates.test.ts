/** The templates of lm-evaluation-harness's own task files (MIT licence), over rows that scripts/parity/harnessTemplates.py made. */
import { expect, test } from "vitest";
import { pythonLiteral } from "../../src/evaluate/python/literal";
import { RowTemplate } from "../../src/evaluate/tasks/template";
import { fixture } from "./fixture";

interface Case {
  readonly field: string;
  readonly template: string;
  readonly rows: readonly { readonly row: Record<string, unknown>; readonly text: string; readonly choices?: string[] }[];
}

const { cases } = fixture<{ cases: Case[] }>("harnessTemplates");

test.each(cases.map(({ field, template, rows }) => [field, template, rows] as const))("%s: %s", (field, source, rows) => {
  const template = RowTemplate.parse(source, `'${field}'`);
  for (const { row, text, choices } of rows) {
    expect(template.render(row)).toBe(text);
    if (choices) expect(pythonLiteral(text)).toEqual(choices);
  }
});
