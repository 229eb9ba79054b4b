/** Python's `pprint.pformat` with its default settings: 80 columns, sorted keys. */
import { ordered, sorted } from "./compare";
import { JinjaError, typeError } from "./errors";
import { limits, Parts } from "./limits";
import { repr } from "./print";
import { SPACE_CLASS, splitLines } from "./strings";
import { codePoints, Dict, Tuple, typeName, type Value } from "./values";

const WIDTH = 80;

export function prettyPrint(value: Value): string {
  const printer = new Printer();
  printer.format(value, 0, 0, 0);
  limits.copiedText(printer.text.length);
  return printer.text;
}

class Printer {
  text = "";
  private readonly parts = new Parts();

  private write(text: string): void {
    this.text += text;
    limits.text(this.text.length);
  }

  format(value: Value, indent: number, allowance: number, level: number): void {
    this.parts.enter();
    const shown = onOneLine(value);
    if (codePoints(shown) <= WIDTH - indent - allowance) this.write(shown);
    else if (value instanceof Dict) this.dict(value, indent, allowance, level + 1);
    else if (Array.isArray(value)) this.items("[", value, "]", indent, allowance, level + 1);
    else if (value instanceof Tuple)
      this.items("(", value.items, value.items.length === 1 ? ",)" : ")", indent, allowance, level + 1);
    else if (typeof value === "string") this.string(value, indent, allowance, level + 1);
    else this.write(shown);
    this.parts.leave();
  }

  private dict(dict: Dict, indent: number, allowance: number, level: number): void {
    this.write("{");
    const entries = sortedEntries(dict);
    entries.forEach(([key, value], i) => {
      if (i > 0) this.write(`,\n${" ".repeat(indent + 1)}`);
      const name = onOneLine(key);
      this.write(`${name}: `);
      const isLast = i === entries.length - 1;
      this.format(value, indent + 1 + codePoints(name) + 2, isLast ? allowance + 1 : 1, level);
    });
    this.write("}");
  }

  private items(open: string, items: readonly Value[], close: string, indent: number, allowance: number, level: number): void {
    this.write(open);
    items.forEach((item, i) => {
      if (i > 0) this.write(`,\n${" ".repeat(indent + 1)}`);
      this.format(item, indent + 1, i === items.length - 1 ? allowance + close.length : 1, level);
    });
    this.write(close);
  }

  private string(text: string, start: number, room: number, level: number): void {
    const isOutermost = level === 1;
    const [indent, allowance] = isOutermost ? [start + 1, room + 1] : [start, room];
    const chunks: string[] = [];
    const lines = splitLines(text, true);
    let shown = "";
    lines.forEach((line, i) => {
      const isLastLine = i === lines.length - 1;
      const width = WIDTH - indent;
      shown = repr(line);
      if (codePoints(shown) <= width - (isLastLine ? allowance : 0)) {
        chunks.push(shown);
        return;
      }
      const parts = line.match(new RegExp(`[^${SPACE_CLASS}]*[${SPACE_CLASS}]*`, "g"))!.slice(0, -1);
      let current = "";
      parts.forEach((part, j) => {
        limits.step(1 + current.length / 64);
        const most = width - (isLastLine && j === parts.length - 1 ? allowance : 0);
        if (codePoints(repr(current + part)) > most) {
          if (current !== "") chunks.push(repr(current));
          current = part;
        } else current += part;
      });
      if (current !== "") chunks.push(repr(current));
    });
    if (chunks.length === 1) return this.write(shown);
    this.write(`${isOutermost ? "(" : ""}${chunks.join(`\n${" ".repeat(indent)}`)}${isOutermost ? ")" : ""}`);
  }
}

/** `repr`, with the keys of dicts sorted. */
function onOneLine(value: Value): string {
  return repr(withSortedKeys(value, new Parts()));
}

function withSortedKeys(value: Value, parts: Parts): Value {
  if (!(Array.isArray(value) || value instanceof Tuple || value instanceof Dict)) return value;
  parts.enter();
  let result: Value;
  if (Array.isArray(value)) result = value.map((item) => withSortedKeys(item, parts));
  else if (value instanceof Tuple) result = new Tuple(value.items.map((item) => withSortedKeys(item, parts)));
  else {
    result = new Dict();
    for (const [key, item] of sortedEntries(value)) result.set(key, withSortedKeys(item, parts));
  }
  parts.leave();
  return result;
}

function sortedEntries(dict: Dict): [Value, Value][] {
  const entries = [...dict.items()];
  try {
    return sorted(
      entries.map(([key]) => key),
      (key) => key,
      false,
    ).map((key) => [key, dict.get(key)!]);
  } catch (error) {
    if (!(error instanceof JinjaError) || error.kind !== "TypeError") throw error;
  }
  // Keys that cannot be compared are ordered by type.
  return entries.sort(([a], [b]) => {
    if (isLess(a, b)) return -1;
    return isLess(b, a) ? 1 : 0;
  });
}

function isLess(a: Value, b: Value): boolean {
  try {
    return ordered("<", a, b);
  } catch (error) {
    if (!(error instanceof JinjaError) || error.kind !== "TypeError") throw error;
    const [one, other] = [typeName(a), typeName(b)];
    if (one === other) throw typeError(`keys of type ${one} cannot be sorted for printing`);
    return one < other;
  }
}
