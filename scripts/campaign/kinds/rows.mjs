/** Preference rows for the kinds that damage data files, and what plain JSON.parse makes of such a file. */
import { product } from "../product.mjs";

const WORDS = [
  "the",
  "sky",
  "is",
  "blue",
  "grey",
  "a",
  "2 + 2 =",
  "4",
  "naïve",
  "日本",
  "😀",
  "line\nbreak",
  "tab\t",
  '"quoted"',
  "\u2028",
];

/** Rows with texts, or with messages. */
export function someRows(random, { chat = random.chance(0.3), count = random.integer(1, 12) } = {}) {
  const text = () => Array.from({ length: random.integer(1, 6) }, () => random.of(WORDS)).join(" ");
  const extra = random.of([{}, {}, { source: text() }, { score: 0.5 }, { tools: null }, { score_chosen: 3, meta: { a: [1] } }]);
  return Array.from({ length: count }, () => {
    const [prompt, chosen, rejected] = [text(), ` ${text()} c`, ` ${text()} r`];
    if (!chat) return { prompt, chosen, rejected, ...extra };
    const said = (content) => [{ role: "assistant", content }];
    return { prompt: [{ role: "user", content: prompt }], chosen: said(chosen), rejected: said(rejected), ...extra };
  });
}

/** Reads a source as the product does; what of each row is to be compared. */
export async function loaded(source) {
  const rows = await product().loadPreferences(source);
  return rows.map(({ index, prompt, chosen, rejected }) => ({ index, prompt, chosen, rejected }));
}

const isText = (value) => typeof value === "string";

/**
 * What has to come of these values: `rows` when every one is a plain row, otherwise undefined (the product decides, and
 * may refuse).
 */
export function expectedRows(values) {
  if (values.length === 0) return undefined;
  const plain = values.every(
    (value) =>
      typeof value === "object" &&
      value !== null &&
      !Array.isArray(value) &&
      isText(value.prompt) &&
      isText(value.chosen) &&
      isText(value.rejected),
  );
  if (!plain) return undefined;
  return values.map(({ prompt, chosen, rejected }, index) => ({ index, prompt, chosen, rejected }));
}

/** Why what was read is wrong, or undefined. `refused` is the error of a source that was not read. */
export function compareRows(expected, found) {
  if (JSON.stringify(expected) === JSON.stringify(found)) return undefined;
  const at = expected.findIndex((row, i) => JSON.stringify(row) !== JSON.stringify(found[i]));
  return `row ${at} reads ${JSON.stringify(found[at])?.slice(0, 200)} instead of ${JSON.stringify(expected[at])?.slice(0, 200)} (${found.length} of ${expected.length} rows)`;
}

/** Rows must be whole whatever the file: texts, or messages with a role. */
export function malformed(rows) {
  const isPart = (part) => isText(part) || (Array.isArray(part) && part.every((message) => isText(message?.role)));
  const bad = rows.find((row, i) => row.index !== i || ![row.prompt, row.chosen, row.rejected].every(isPart));
  return bad && `a row that is none: ${JSON.stringify(bad).slice(0, 200)}`;
}
