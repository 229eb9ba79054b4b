/** Equality, order and membership. */
import { typeError } from "./errors";
import { limits, Parts } from "./limits";
import {
  Dict,
  DictView,
  hashed,
  isInt,
  isWide,
  iterate,
  PyFloat,
  Range,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
} from "./values";

/** `a == b`. */
export function equal(a: Value, b: Value): boolean {
  return isEqual(a, b, undefined);
}

function isEqual(a: Value, b: Value, parts: Parts | undefined): boolean {
  if (typeof a === "string" && typeof b === "string") return a === b;
  if (a instanceof Undefined || b instanceof Undefined) {
    for (const each of [a, b]) if (each instanceof Undefined && each.isStrict) each.fail();
    return a instanceof Undefined && b instanceof Undefined;
  }
  const [left, right] = [numeric(a), numeric(b)];
  if (left !== undefined || right !== undefined)
    // biome-ignore lint/suspicious/noDoubleEquals: a number may equal a bigint
    return left !== undefined && right !== undefined && left == right;
  const text = textOf(a);
  return text === undefined ? areEqualContainers(a, b, parts) : text === textOf(b);
}

function areEqualContainers(a: Value, b: Value, parts: Parts | undefined): boolean {
  if (Array.isArray(a)) return Array.isArray(b) && sameItems(a, b, parts ?? new Parts());
  if (a instanceof Tuple) return b instanceof Tuple && sameItems(a.items, b.items, parts ?? new Parts());
  if (a instanceof Dict) return b instanceof Dict && sameEntries(a, b, parts ?? new Parts());
  if (a instanceof Range) return b instanceof Range && hashed(a) === hashed(b);
  if (a instanceof DictView && b instanceof DictView && a.kind !== "values" && b.kind !== "values")
    return a.dict.size === b.dict.size && [...a].every((item) => contains(b, item));
  return a === b;
}

/** The same object or an equal one, which is how Python compares items of containers. */
function same(a: Value, b: Value, parts: Parts | undefined): boolean {
  return a === b || isEqual(a, b, parts);
}

function sameItems(a: readonly Value[], b: readonly Value[], parts: Parts): boolean {
  if (a.length !== b.length) return false;
  parts.enter();
  let isSame = true;
  for (let i = 0; isSame && i < a.length; i++) {
    limits.step();
    isSame = same(a[i]!, b[i]!, parts);
  }
  parts.leave();
  return isSame;
}

function sameEntries(a: Dict, b: Dict, parts: Parts): boolean {
  if (a.size !== b.size) return false;
  parts.enter();
  let isSame = true;
  for (const [key, value] of a.items()) {
    limits.step();
    const other = b.get(key);
    if (other === undefined || !same(value, other, parts)) {
      isSame = false;
      break;
    }
  }
  parts.leave();
  return isSame;
}

/** An int, bool or float as a JavaScript value that compares exactly. */
function numeric(value: Value): number | bigint | undefined {
  if (typeof value === "number" || typeof value === "bigint") return value;
  if (typeof value === "boolean") return Number(value);
  return value instanceof PyFloat ? value.value : undefined;
}

export type Order = "<" | "<=" | ">" | ">=";

/** `a < b` and the like. @throws TypeError for values that cannot be ordered */
export function ordered(operator: Order, a: Value, b: Value): boolean {
  return isOrdered(operator, a, b, undefined);
}

function isOrdered(operator: Order, a: Value, b: Value, parts: Parts | undefined): boolean {
  const [left, right] = [numeric(a), numeric(b)];
  if (left !== undefined && right !== undefined) return holds(operator, left, right);
  if (a instanceof Undefined) a.fail();
  if (b instanceof Undefined) b.fail();
  const [text, other] = [textOf(a), textOf(b)];
  if (text !== undefined && other !== undefined) return holds(operator, orderOf(text, other), 0);
  if (Array.isArray(a) && Array.isArray(b)) return itemsOrdered(operator, a, b, parts ?? new Parts());
  if (a instanceof Tuple && b instanceof Tuple) return itemsOrdered(operator, a.items, b.items, parts ?? new Parts());
  if (a instanceof DictView && b instanceof DictView && a.kind !== "values" && b.kind !== "values") {
    const [part, whole] = operator.startsWith("<") ? [a, b] : [b, a];
    const isPart = [...part].every((item) => contains(whole, item));
    return isPart && (operator.endsWith("=") || part.dict.size < whole.dict.size);
  }
  throw typeError(`'${operator}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

function itemsOrdered(operator: Order, a: readonly Value[], b: readonly Value[], parts: Parts): boolean {
  parts.enter();
  let at = 0;
  while (at < a.length && at < b.length && same(a[at]!, b[at]!, parts)) {
    limits.step();
    at++;
  }
  const result =
    at < a.length && at < b.length ? isOrdered(operator, a[at]!, b[at]!, parts) : holds(operator, a.length, b.length);
  parts.leave();
  return result;
}

function holds(operator: Order, a: number | bigint, b: number | bigint): boolean {
  switch (operator) {
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    case ">=":
      return a >= b;
  }
}

/** Negative, 0 or positive: compares strings by code point. */
function orderOf(a: string, b: string): number {
  if (!isWide(a) && !isWide(b)) return a < b ? -1 : a > b ? 1 : 0;
  const [left, right] = [a[Symbol.iterator](), b[Symbol.iterator]()];
  for (;;) {
    const [one, other] = [left.next(), right.next()];
    if (one.done || other.done) return Number(other.done ?? false) - Number(one.done ?? false);
    const difference = one.value.codePointAt(0)! - other.value.codePointAt(0)!;
    if (difference !== 0) return difference;
  }
}

/** Stable sort, like `sorted(values, key=..., reverse=...)`. */
export function sorted(values: readonly Value[], key: (value: Value) => Value, reverse: boolean): Value[] {
  const keyed = values.map((value) => ({ value, key: key(value) }));
  if (reverse) keyed.reverse();
  keyed.sort((a, b) => {
    limits.step();
    if (isOrdered("<", b.key, a.key, undefined)) return 1;
    return isOrdered("<", a.key, b.key, undefined) ? -1 : 0;
  });
  if (reverse) keyed.reverse();
  return keyed.map(({ value }) => value);
}

/** `item in container`. */
export function contains(container: Value, item: Value): boolean {
  const text = textOf(container);
  if (text !== undefined) {
    const part = textOf(item);
    if (part === undefined) throw typeError(`'in <string>' requires string as left operand, not ${typeName(item)}`);
    limits.step(text.length / 4096);
    return text.includes(part);
  }
  if (container instanceof Dict) return container.has(item);
  if (container instanceof DictView && container.kind === "keys") return container.dict.has(item);
  if (container instanceof Undefined && container.isStrict) container.fail();
  if (container instanceof Range && isInt(item)) {
    const number = Number(item);
    const at = (number - container.start) / container.step;
    return Number.isInteger(at) && at >= 0 && at < container.length;
  }
  let items: Iterator<Value> & Iterable<Value>;
  try {
    items = iterate(container);
  } catch {
    throw typeError(`argument of type '${typeName(container)}' is not iterable`);
  }
  for (let next = items.next(); !next.done; next = items.next()) {
    limits.step();
    if (same(next.value, item, undefined)) return true;
  }
  return false;
}
