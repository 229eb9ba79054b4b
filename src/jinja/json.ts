/** `json.dumps`. */

import { sorted } from "./compare";
import { typeError } from "./errors";
import { limits, Parts } from "./limits";
import { floatText, intText, small } from "./numbers";
import { repeat } from "./strings";
import { asInt, Dict, index, isInt, isTrue, iterate, PyFloat, Tuple, textOf, typeName, type Value } from "./values";

export interface JsonOptions {
  readonly ascii: boolean;
  readonly indent: Value;
  readonly separators: Value;
  readonly sortKeys: boolean;
}

interface Style {
  readonly ascii: boolean;
  readonly indent: string | undefined;
  readonly between: string;
  readonly colon: string;
  readonly sortKeys: boolean;
}

/** `json.dumps(value, ensure_ascii=..., indent=..., separators=..., sort_keys=...)`. */
export function json(value: Value, { ascii, indent, separators, sortKeys }: JsonOptions): string {
  const unit = indent === null ? undefined : (textOf(indent) ?? repeat(" ", small(index(indent))));
  let [between, colon] = [unit === undefined ? ", " : ",", ": "];
  if (isTrue(separators) || separators !== null) {
    const pair = [...iterate(separators)].map(textOf);
    if (pair.length !== 2 || pair.some((each) => each === undefined))
      throw typeError("the separators of tojson must be two strings");
    [between, colon] = pair as [string, string];
  }
  const text = write(value, { ascii, indent: unit, between, colon, sortKeys }, unit === undefined ? "" : "\n", new Parts());
  limits.copiedText(text.length);
  return text;
}

function write(value: Value, style: Style, newline: string, parts: Parts): string {
  if (value === null) return "null";
  if (typeof value === "boolean") return value ? "true" : "false";
  if (isInt(value)) return intText(asInt(value));
  if (value instanceof PyFloat) return floatJson(value.value);
  const text = textOf(value);
  if (text !== undefined) return quoted(text, style.ascii);
  if (Array.isArray(value) || value instanceof Tuple) {
    const items = Array.isArray(value) ? value : value.items;
    return enclosed("[", "]", items, (item, inner) => write(item, style, inner, parts), style, newline, parts);
  }
  if (value instanceof Dict) {
    let entries = [...value.items()];
    if (style.sortKeys) {
      const order = sorted(
        entries.map(([key]) => key),
        (key) => key,
        false,
      );
      entries = order.map((key) => [key, value.get(key)!]);
    }
    return enclosed(
      "{",
      "}",
      entries,
      ([key, item], inner) => `${quoted(keyText(key), style.ascii)}${style.colon}${write(item, style, inner, parts)}`,
      style,
      newline,
      parts,
    );
  }
  throw typeError(`Object of type ${typeName(value)} is not JSON serializable`);
}

function enclosed<T>(
  open: string,
  close: string,
  items: readonly T[],
  each: (item: T, newline: string) => string,
  style: Style,
  newline: string,
  parts: Parts,
): string {
  if (items.length === 0) return open + close;
  parts.enter();
  const inner = style.indent === undefined ? "" : newline + style.indent;
  let text = open + inner;
  items.forEach((item, i) => {
    limits.text(text.length + inner.length);
    text += (i === 0 ? "" : style.between + inner) + each(item, inner);
  });
  parts.leave();
  limits.text(text.length);
  return text + newline + close;
}

function floatJson(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "Infinity" : "-Infinity";
  return floatText(value);
}

function keyText(key: Value): string {
  const text = textOf(key);
  if (text !== undefined) return text;
  if (key === null) return "null";
  if (typeof key === "boolean") return key ? "true" : "false";
  if (isInt(key)) return intText(key as number | bigint);
  if (key instanceof PyFloat) return floatJson(key.value);
  throw typeError(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
}

const NAMED: Record<string, string> = {
  '"': '\\"',
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\b": "\\b",
  "\f": "\\f",
};

function quoted(text: string, ascii: boolean): string {
  // eslint-disable-next-line no-control-regex
  const escaped = text.replace(
    ascii ? /["\\]|[^ -~]/g : /["\\\0-\x1f]/g,
    (character) => NAMED[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `"${escaped}"`;
}
