/** The operators of expressions. */
import { JinjaError, typeError, valueError } from "./errors";
import { limits } from "./limits";
import { escape } from "./markup";
import { add, divide, divmod, floatDivmod, floatPower, type Int, multiply, negate, power, small, toFloat } from "./numbers";
import { formatPercent } from "./percent";
import { characterAt, repeat, sliceText } from "./strings";
import {
  asInt,
  codePoints,
  Dict,
  DictView,
  Instance,
  Iter,
  isInt,
  Markup,
  PyFloat,
  Range,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
} from "./values";

export type Operator = "+" | "-" | "*" | "/" | "//" | "%" | "**";

/** `a + b` and the like. */
export function binary(operator: Operator, a: Value, b: Value): Value {
  if (isInt(a) && isInt(b)) return integers(operator, asInt(a), asInt(b));
  const [left, right] = [floatOf(a), floatOf(b)];
  if (left !== undefined && right !== undefined) return new PyFloat(floats(operator, left, right));
  const text = textOf(a);
  if (operator === "%" && text !== undefined) return formatPercent(a as string | Markup, b);
  if (a instanceof Undefined) a.fail();
  if (b instanceof Undefined) b.fail();
  const result = operator === "+" ? joined(a, b) : operator === "*" ? (repeated(a, b) ?? repeated(b, a)) : undefined;
  if (result !== undefined) return result;
  throw wrong(operator, a, b);
}

function wrong(operator: Operator, a: Value, b: Value): JinjaError {
  const [left, right] = [typeName(a), typeName(b)];
  if (operator === "+") {
    if (typeof a === "string") return typeError(`can only concatenate str (not "${right}") to str`);
    if (Array.isArray(a)) return typeError(`can only concatenate list (not "${right}") to list`);
    if (a instanceof Tuple) return typeError(`can only concatenate tuple (not "${right}") to tuple`);
  }
  const isSequence = (value: Value) => textOf(value) !== undefined || Array.isArray(value) || value instanceof Tuple;
  if (operator === "*" && (isSequence(a) || isSequence(b)))
    return typeError(`can't multiply sequence by non-int of type '${isSequence(a) ? right : left}'`);
  return typeError(`unsupported operand type(s) for ${operator === "**" ? "** or pow()" : operator}: '${left}' and '${right}'`);
}

function floatOf(value: Value): number | undefined {
  if (value instanceof PyFloat) return value.value;
  return isInt(value) ? toFloat(asInt(value)) : undefined;
}

function integers(operator: Operator, a: Int, b: Int): Value {
  switch (operator) {
    case "+":
      return add(a, b);
    case "-":
      return add(a, negate(b));
    case "*":
      return multiply(a, b);
    case "/":
      return new PyFloat(divide(a, b));
    case "//":
      return divmod(a, b)[0];
    case "%":
      return divmod(a, b)[1];
    case "**":
      return power(a, b);
  }
}

function floats(operator: Operator, a: number, b: number): number {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      if (b === 0) throw new JinjaError("ZeroDivisionError", "float division by zero");
      return a / b;
    case "//":
      return floatDivmod(a, b)[0];
    case "%":
      if (b === 0) throw new JinjaError("ZeroDivisionError", "float modulo");
      return floatDivmod(a, b)[1];
    case "**":
      return floatPower(a, b);
  }
}

function joined(a: Value, b: Value): Value | undefined {
  if (typeof a === "string" && typeof b === "string") {
    limits.text(a.length + b.length);
    return a + b;
  }
  const [text, other] = [textOf(a), textOf(b)];
  if (text !== undefined && other !== undefined) {
    const escaped = [a, b].map((each) => escape(each).text);
    limits.text(escaped[0]!.length + escaped[1]!.length);
    return new Markup(escaped.join(""));
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    limits.copiedList(a.length + b.length);
    return [...a, ...b];
  }
  if (a instanceof Tuple && b instanceof Tuple) {
    limits.copiedList(a.items.length + b.items.length);
    return new Tuple([...a.items, ...b.items]);
  }
  return undefined;
}

function repeated(sequence: Value, times: Value): Value | undefined {
  if (!isInt(times)) return undefined;
  const text = textOf(sequence);
  const list = Array.isArray(sequence) ? sequence : sequence instanceof Tuple ? sequence.items : undefined;
  if (text === undefined && list === undefined) return undefined;
  const count = Math.max(0, small(asInt(times)));
  if (text !== undefined) return sequence instanceof Markup ? new Markup(repeat(text, count)) : repeat(text, count);
  limits.copiedList(list!.length * count);
  const items = Array.from({ length: list!.length * count }, (_, i) => list![i % list!.length]!);
  return Array.isArray(sequence) ? items : new Tuple(items);
}

/** `-value` and `+value`. */
export function unary(operator: "-" | "+", value: Value): Value {
  if (isInt(value)) return operator === "-" ? negate(asInt(value)) : asInt(value);
  if (value instanceof PyFloat) return operator === "-" ? new PyFloat(-value.value) : value;
  if (value instanceof Undefined) value.fail();
  throw typeError(`bad operand type for unary ${operator}: '${typeName(value)}'`);
}

/** `value[start:stop:step]`; undefined for a part that is left out. */
export function slice(value: Value, start?: Value, stop?: Value, step?: Value): Value {
  const text = textOf(value);
  const items = Array.isArray(value) ? value : value instanceof Tuple ? value.items : undefined;
  if (text === undefined && items === undefined && !(value instanceof Range)) {
    if (value instanceof Undefined) value.fail();
    if (value instanceof Dict) throw typeError("unhashable type: 'slice'");
    throw typeError(`'${typeName(value)}' object is not subscriptable`);
  }
  const length = text !== undefined ? codePoints(text) : items ? items.length : (value as Range).length;
  const positions = clipped(length, [start, stop, step].map(position) as [Int?, Int?, Int?]);
  if (text !== undefined) {
    limits.copiedText(text.length);
    const part = sliceText(text, positions);
    return value instanceof Markup ? new Markup(part) : part;
  }
  if (value instanceof Range) return new Range(value.at(positions.start), value.at(positions.stop), value.step * positions.step);
  const part: Value[] = [];
  for (let i = positions.start; positions.step > 0 ? i < positions.stop : i > positions.stop; i += positions.step)
    part.push(items![i]!);
  limits.copiedList(part.length);
  return Array.isArray(value) ? part : new Tuple(part);
}

function position(value: Value | undefined): Int | undefined {
  if (value === undefined || value === null) return undefined;
  if (isInt(value)) return asInt(value);
  throw typeError("slice indices must be integers or None or have an __index__ method");
}

/** `slice.indices(length)`. */
function clipped(length: number, [from, to, by]: [Int?, Int?, Int?]): { start: number; stop: number; step: number } {
  if (by === 0) throw valueError("slice step cannot be zero");
  const number = (value: Int) => Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Number(value)));
  const step = by === undefined ? 1 : number(by);
  const [lowest, highest] = step > 0 ? [0, length] : [-1, length - 1];
  const clip = (value: Int | undefined, missing: number) => {
    if (value === undefined) return missing;
    const at = number(value) < 0 ? number(value) + length : number(value);
    return Math.max(lowest, Math.min(highest, at));
  };
  return { start: clip(from, step > 0 ? lowest : highest), stop: clip(to, step > 0 ? highest : lowest), step };
}

/** `value[key]`; undefined if Python raises a TypeError, IndexError or KeyError. */
export function item(value: Value, key: Value): Value | undefined {
  if (value instanceof Dict) return entry(value, key);
  if (value instanceof Undefined) value.fail();
  if (!isInt(key)) return undefined;
  const at = Number(asInt(key));
  if (Array.isArray(value)) return value.at(at);
  if (value instanceof Tuple) return value.items.at(at);
  const text = textOf(value);
  if (text !== undefined) {
    const character = characterAt(text, at);
    return character !== undefined && value instanceof Markup ? new Markup(character) : character;
  }
  if (value instanceof Range) {
    const place = at < 0 ? at + value.length : at;
    return place >= 0 && place < value.length ? value.at(place) : undefined;
  }
  return undefined;
}

/** The value of a key; undefined if there is none, or it cannot be a key. */
function entry(dict: Dict, key: Value): Value | undefined {
  try {
    return dict.get(key);
  } catch (error) {
    if (error instanceof JinjaError && error.kind === "TypeError") return undefined;
    throw error;
  }
}

/** `reversed(value)`. @throws TypeError for values that are not reversible */
export function reversed(value: Value): Iter {
  if (Array.isArray(value))
    return new Iter(
      backwards(value.length, (i) => value[i]!),
      "list_reverseiterator",
    );
  const text = textOf(value);
  if (text !== undefined) {
    const points = Array.from(text);
    return new Iter(
      backwards(points.length, (i) => (value instanceof Markup ? new Markup(points[i]!) : points[i]!)),
      "reversed",
    );
  }
  if (value instanceof Tuple)
    return new Iter(
      backwards(value.items.length, (i) => value.items[i]!),
      "reversed",
    );
  if (value instanceof Range)
    return new Iter(
      backwards(value.length, (i) => value.at(i)),
      "range_iterator",
    );
  if (value instanceof Dict || value instanceof DictView) {
    const view = value instanceof Dict ? new DictView(value, "keys") : value;
    limits.copiedList(view.dict.size);
    const items = [...view];
    return new Iter(
      backwards(items.length, (i) => items[i]!),
      `dict_reverse${view.kind.slice(0, -1)}iterator`,
    );
  }
  if (value instanceof Undefined) {
    if (value.isStrict) value.fail();
    return new Iter([].values(), "reversed");
  }
  throw typeError(`'${value instanceof Instance ? value.typeName : typeName(value)}' object is not reversible`);
}

function* backwards(length: number, at: (index: number) => Value): Generator<Value> {
  for (let i = length - 1; i >= 0; i--) yield at(i);
}
