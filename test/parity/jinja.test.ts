/** The template engine against Jinja2 3.1.6: fixtures of scripts/parity/jinja.py. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  CHAT_ENVIRONMENT,
  type Environment,
  JinjaError,
  limitReason,
  PyFloat,
  strictEnvironment,
  Template,
} from "../../src/jinja";

type Case = [template: string, text: string | null, exception?: string];

const read = (name: string): unknown => JSON.parse(readFileSync(join(__dirname, "jinja", `${name}.json`), "utf8"));
const json = read("context") as Record<string, unknown> & { mix: unknown[] };
// Floats that JSON.parse would turn into integers, and integers that it would round.
const context = {
  ...json,
  g: new PyFloat(1e20),
  big: 12345678901234567890n,
  mix: json.mix.map((each) => (each === 2 ? new PyFloat(2) : each)),
};

function rendered(template: string, environment: Environment): { text: string | null; error?: string } {
  try {
    return { text: new Template(template, environment).render(context, 5).text };
  } catch (error) {
    if (error instanceof JinjaError) return { text: null, error: `${error.kind}: ${error.message}` };
    if (limitReason(error) !== undefined) return { text: null, error: limitReason(error)! };
    throw error;
  }
}

test.each([
  ["chat", CHAT_ENVIRONMENT],
  ["task", strictEnvironment(new Map())],
] as const)("%s templates give Jinja2's text, or an error where Jinja2 gives one", (name, environment) => {
  const { cases } = read(name) as { cases: Case[] };
  expect(cases.length).toBeGreaterThan(1_500);
  const wrong = cases.flatMap(([template, expected, exception]) => {
    const { text, error } = rendered(template, environment);
    return text === expected ? [] : [{ template, expected: expected ?? exception, received: text ?? error }];
  });
  expect(wrong).toEqual([]);
});
