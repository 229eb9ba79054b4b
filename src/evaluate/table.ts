/** Results as the table that lm-evaluation-harness prints: one line a metric. */
import type { EvaluationResults, TaskResults } from "./results";

const HEADERS = ["Tasks", "Version", "Filter", "n-shot", "Metric", "", "Value", "", "Stderr"];
const LEFT = [0, 2, 4];

/**
 * A Markdown table; members of a group stand under it, indented.
 *
 * ```ts
 * console.log(resultsTable(await evaluate(model, tokenizer, { tasks: ["winogrande"] })));
 * ```
 */
export function resultsTable(found: EvaluationResults): string {
  const { results, group_subtasks: members } = found;
  const inGroups = new Set(Object.values(members).flat());
  const lines: string[][] = [];
  const add = (name: string, depth: number): void => {
    lines.push(...linesOf(name, depth, found));
    for (const member of members[name] ?? []) add(member, depth + 1);
  };
  for (const name of Object.keys(results)) if (!inGroups.has(name)) add(name, 0);
  const widths = HEADERS.map((header, column) =>
    Math.max(1, ...[header, ...lines.map((line) => line[column]!)].map((cell) => cell.length)),
  );
  const isLeft = (column: number) => LEFT.includes(column);
  const cell = (text: string, column: number) => (isLeft(column) ? text.padEnd(widths[column]!) : text.padStart(widths[column]!));
  const row = (cells: readonly string[]) => `|${cells.map(cell).join("|")}|`;
  const rule = row(widths.map((width, column) => (isLeft(column) ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)));
  return [row(HEADERS), rule, ...lines.map(row)].join("\n");
}

function linesOf(name: string, depth: number, { results, versions, "n-shot": shots }: EvaluationResults): string[][] {
  const entry = results[name]!;
  const keys = Object.keys(entry)
    .filter((key) => key.includes(",") && !key.includes("_stderr,"))
    .sort();
  const title = `${depth > 0 ? `${" ".repeat(depth)}- ` : ""}${entry["alias"]}`;
  return keys.map((key, i) => {
    const [metric, filter] = key.split(",") as [string, string];
    const first = i === 0 ? [title, String(versions[name] ?? "")] : ["", ""];
    return [
      ...first,
      filter,
      String(shots[name]),
      metric,
      "↑",
      shown(entry, key),
      "±",
      shown(entry, `${metric}_stderr,${filter}`),
    ];
  });
}

function shown(entry: TaskResults, key: string): string {
  const value = entry[key];
  return typeof value === "number" ? value.toFixed(4) : String(value);
}
