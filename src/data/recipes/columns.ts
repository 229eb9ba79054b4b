/**
 * Pairs from any columns: each of the three texts is a column, or a template with columns in braces. A dot goes into an
 * object or a list: `{choices.text.0}`. Numbers and booleans are written as JSON writes them.
 */
import { InputError } from "../../base/errors";
import type { Row } from "../fields";
import { type Recipe, Unusable } from "./recipe";

/** A template each; `{prompt}` is the column alone. */
export interface PairTemplates {
  readonly prompt: string;
  readonly chosen: string;
  readonly rejected: string;
}

const PLACE = /\{([^{}]+)\}/g;

/**
 * ```ts
 * columnPairs({ prompt: "Question: {question}\nAnswer:", chosen: " {best}", rejected: " {worst}" });
 * ```
 *
 * @throws InputError when a template names no column
 */
export function columnPairs(templates: PairTemplates): Recipe {
  const paths = Object.entries(templates).flatMap(([name, template]) => {
    const found = [...template.matchAll(PLACE)].map((match) => match[1]!);
    if (found.length === 0)
      throw new InputError(
        `Expected a column in braces, such as '{question}', for the template of '${name}' but received '${template}'`,
      );
    return found;
  });
  const columns = [...new Set(paths.map((path) => path.split(".")[0]!))];
  return {
    name: "pairs",
    columns: { required: columns },
    form: "name the columns, or write templates with columns in braces",
    read(row) {
      const missing = paths.find((path) => textAt(row, path) === undefined);
      if (missing !== undefined) return new Unusable(`'${missing}' is no text`);
      const [prompt, chosen, rejected] = [templates.prompt, templates.chosen, templates.rejected].map((template) =>
        template.replace(PLACE, (_, path: string) => textAt(row, path)!),
      ) as [string, string, string];
      return { subject: prompt, prompt, answer: chosen, wrong: () => [rejected] };
    },
  };
}

function textAt(row: Row, path: string): string | undefined {
  let value: unknown = row;
  for (const key of path.split("."))
    value = typeof value === "object" && value !== null && Object.hasOwn(value, key) ? (value as Row)[key] : undefined;
  return ["string", "number", "boolean"].includes(typeof value) ? String(value) : undefined;
}
