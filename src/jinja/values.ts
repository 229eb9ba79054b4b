/**
 * The values of templates: Python's values, represented by the closest JavaScript values.
 *
 * | Python | here |
 * | --- | --- |
 * | None, bool, str | null, boolean, string |
 * | int | number, and bigint beyond 2^53 |
 * | float | {@link PyFloat} |
 * | list | array |
 * | tuple, dict, range | {@link Tuple}, {@link Dict}, {@link Range} |
 * | generators, iterators | {@link Iter} |
 * | functions, methods | {@link Callable} |
 */
import { JinjaError, typeError } from "./errors";
import { PyFloat } from "./float";
import { limits, Parts } from "./limits";
import type { Int } from "./numbers";

export { PyFloat };

export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | PyFloat
  | Markup
  | Value[]
  | Tuple
  | Dict
  | DictView
  | Range
  | Iter
  | Undefined
  | Callable
  | Instance;

/** Keyword arguments. */
export type Keywords = Map<string, Value>;

/** A string that is already HTML; anything joined to it is escaped (markupsafe). */
export class Markup {
  constructor(readonly text: string) {}
}

export class Tuple {
  constructor(readonly items: readonly Value[]) {}
}

/** An item of `groupby`: a tuple whose parts also have names. */
export class Group extends Tuple {
  constructor(
    readonly grouper: Value,
    readonly list: Value[],
  ) {
    super([grouper, list]);
  }
}

export class Range {
  /** The number of items. */
  readonly length: number;

  constructor(
    readonly start: number,
    readonly stop: number,
    readonly step: number,
  ) {
    this.length = Math.max(0, Math.ceil((stop - start) / step));
  }

  at(index: number): number {
    return this.start + index * this.step;
  }
}

/** A Python dict: keys are compared by value, so 1, 1.0 and True are the same key. */
export class Dict {
  private readonly entries = new Map<unknown, [key: Value, value: Value]>();

  get size(): number {
    return this.entries.size;
  }

  get(key: Value): Value | undefined {
    return this.entries.get(typeof key === "string" && key.charCodeAt(0) !== 0 ? key : hashed(key))?.[1];
  }

  getOr(key: Value, other: Value): Value {
    const value = this.get(key);
    return value === undefined ? other : value;
  }

  has(key: Value): boolean {
    return this.entries.has(hashed(key));
  }

  set(key: Value, value: Value): void {
    const hash = hashed(key);
    const entry = this.entries.get(hash);
    if (entry) entry[1] = value;
    else this.entries.set(hash, [key, value]);
  }

  delete(key: Value): boolean {
    return this.entries.delete(hashed(key));
  }

  /** The keys and values, in insertion order. */
  items(): IterableIterator<[key: Value, value: Value]> {
    return this.entries.values();
  }

  *keys(): Generator<Value> {
    for (const [key] of this.entries.values()) yield key;
  }

  *values(): Generator<Value> {
    for (const [, value] of this.entries.values()) yield value;
  }

  copy(): Dict {
    limits.copiedList(this.size);
    const copy = new Dict();
    for (const [hash, [key, value]] of this.entries) copy.entries.set(hash, [key, value]);
    return copy;
  }

  /** A dict from entries with string keys. */
  static of(entries: Iterable<readonly [string, Value]>): Dict {
    const dict = new Dict();
    for (const [key, value] of entries) dict.set(key, value);
    return dict;
  }
}

/** A `Map` key that distinguishes the keys that Python does. @throws TypeError for lists and dicts */
export function hashed(value: Value, parts?: Parts): unknown {
  switch (typeof value) {
    case "string":
      return value.charCodeAt(0) === 0 ? `\0s${value}` : value;
    case "boolean":
      return value ? 1 : 0;
    case "number":
    case "bigint":
      return value;
  }
  return value === null ? value : hashedObject(value, parts);
}

function hashedObject(value: Exclude<Value, string | boolean | number | bigint | null>, parts: Parts | undefined): unknown {
  if (value instanceof PyFloat) {
    const { value: number } = value;
    return Number.isInteger(number) && !Number.isSafeInteger(number) ? BigInt(number) : number;
  }
  if (value instanceof Markup) return hashed(value.text);
  if (value instanceof Tuple) return hashedTuple(value, parts ?? new Parts());
  if (value instanceof Undefined) {
    if (value.isStrict) value.fail();
    return "\0u";
  }
  if (value instanceof Range)
    return `\0r${value.length},${value.length > 0 ? value.start : 0},${value.length > 1 ? value.step : 0}`;
  if (Array.isArray(value) || value instanceof Dict || (value instanceof DictView && value.kind !== "values"))
    throw typeError(`unhashable type: '${typeName(value)}'`);
  return value;
}

function hashedTuple({ items }: Tuple, parts: Parts): string {
  parts.enter();
  const inner = items.map((item) => {
    const hash = hashed(item, parts);
    if (typeof hash === "object" && hash !== null) return `o${identity(hash)}`;
    return `${typeof hash === "string" ? "s" : "n"}${String(hash).length}:${String(hash)}`;
  });
  parts.leave();
  const hash = `\0t${inner.join()}`;
  limits.copiedText(hash.length);
  return hash;
}

const identities = new WeakMap<object, number>();
let lastIdentity = 0;

function identity(object: object): number {
  let number = identities.get(object);
  if (number === undefined) identities.set(object, (number = ++lastIdentity));
  return number;
}

/** `dict.keys()`, `values()`, `items()`. */
export class DictView {
  constructor(
    readonly dict: Dict,
    readonly kind: "keys" | "values" | "items",
  ) {}

  *[Symbol.iterator](): Generator<Value> {
    if (this.kind === "items") for (const entry of this.dict.items()) yield new Tuple([...entry]);
    else yield* this.dict[this.kind]();
  }
}

/** Something that can be iterated over once. */
export class Iter {
  constructor(
    readonly iterator: Iterator<Value>,
    /** The type's name, such as `generator` or `list_reverseiterator`. */
    readonly kind: string = "generator",
  ) {}
}

/** The value of a name, attribute or item that does not exist. See `missing` in print.ts. */
export class Undefined {
  constructor(
    /** The message of the error when it is used. */
    private readonly describe: () => string,
    /** Jinja2's StrictUndefined: it can only be tested. */
    readonly isStrict = false,
    private readonly kind: "UndefinedError" | "SecurityError" = "UndefinedError",
  ) {}

  fail(): never {
    throw new JinjaError(this.kind, this.describe());
  }
}

/** A function, method, macro or class. */
export abstract class Callable {
  abstract readonly typeName: string;
  /** What is printed for it; undefined where Python prints an address in memory. */
  readonly shown: string | undefined = undefined;

  abstract call(args: Value[], keywords: Keywords | undefined): Value;
}

/** A function of the engine. */
export class Builtin extends Callable {
  constructor(
    readonly name: string,
    private readonly work: (args: Value[], keywords: Keywords | undefined) => Value,
    readonly typeName = "function",
  ) {
    super();
  }

  override call(args: Value[], keywords: Keywords | undefined): Value {
    return this.work(args, keywords);
  }
}

/** An object with attributes: `loop`, a namespace, a cycler. */
export abstract class Instance {
  abstract readonly typeName: string;
  /** The module of its class, for messages. */
  abstract readonly module: string;

  /** The attribute of that name; undefined if there is none. */
  abstract attribute(name: string): Value | undefined;

  /** The item of that key; undefined if there is none. */
  item(_key: Value): Value | undefined {
    return undefined;
  }

  /** What is printed for it; undefined where Python prints an address in memory. */
  shown(): string | undefined {
    return undefined;
  }

  length(): number | undefined {
    return undefined;
  }

  iterate(): Iterator<Value> | undefined {
    return undefined;
  }

  call(_args: Value[], _keywords: Keywords | undefined): Value {
    throw typeError(`'${this.typeName}' object is not callable`);
  }
}

/** `type(value).__name__`. */
export function typeName(value: Value): string {
  switch (typeof value) {
    case "string":
      return "str";
    case "boolean":
      return "bool";
    case "number":
    case "bigint":
      return "int";
  }
  if (value === null) return "NoneType";
  if (Array.isArray(value)) return "list";
  if (value instanceof PyFloat) return "float";
  if (value instanceof Dict) return "dict";
  if (value instanceof Group) return "_GroupTuple";
  if (value instanceof Tuple) return "tuple";
  if (value instanceof Undefined) return value.isStrict ? "StrictUndefined" : "Undefined";
  if (value instanceof Range) return "range";
  if (value instanceof Iter) return value.kind;
  if (value instanceof DictView) return `dict_${value.kind}`;
  if (value instanceof Markup) return "Markup";
  return value.typeName;
}

/** How Jinja2's messages describe an object that lacks something. */
export function objectType(value: Value): string {
  if (value === null) return "None";
  if (value instanceof Instance) return `${value.module}.${value.typeName} object`;
  if (value instanceof Markup) return "markupsafe.Markup object";
  if (value instanceof Group) return "jinja2.filters._GroupTuple object";
  if (value instanceof Undefined) return `jinja2.runtime.${typeName(value)} object`;
  return `${typeName(value)} object`;
}

/** `bool(value)`. */
export function isTrue(value: Value): boolean {
  switch (typeof value) {
    case "string":
      return value !== "";
    case "boolean":
      return value;
    case "number":
    case "bigint":
      return value !== 0;
  }
  if (value === null) return false;
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Undefined) {
    if (value.isStrict) value.fail();
    return false;
  }
  if (value instanceof Dict) return value.size > 0;
  if (value instanceof PyFloat) return value.value !== 0;
  if (value instanceof Tuple) return value.items.length > 0;
  if (value instanceof Markup) return value.text !== "";
  if (value instanceof Range) return value.length > 0;
  if (value instanceof DictView) return value.dict.size > 0;
  if (value instanceof Instance) return value.length() !== 0;
  return true;
}

/** The string in a str or Markup; undefined for other values. */
export function textOf(value: Value | undefined): string | undefined {
  if (typeof value === "string") return value;
  return value instanceof Markup ? value.text : undefined;
}

export function isInt(value: Value): value is Int | boolean {
  return typeof value === "number" || typeof value === "boolean" || typeof value === "bigint";
}

/** An int or bool as an int. */
export function asInt(value: Int | boolean): Int {
  return typeof value === "boolean" ? Number(value) : value;
}

/** An argument that must be an integer. */
export function index(value: Value): Int {
  if (isInt(value)) return asInt(value);
  throw typeError(`'${typeName(value)}' object cannot be interpreted as an integer`);
}

/** Iterates as Python does. @throws TypeError for values that are not iterable */
export function iterate(value: Value): Iterator<Value> & Iterable<Value> {
  if (Array.isArray(value)) return value.values();
  if (typeof value === "string") return characters(value);
  const iterator = iteratorOf(value);
  if (iterator === undefined) throw typeError(`'${typeName(value)}' object is not iterable`);
  return Symbol.iterator in iterator
    ? (iterator as Iterator<Value> & Iterable<Value>)
    : {
        next: () => iterator.next(),
        [Symbol.iterator]: function () {
          return this;
        },
      };
}

function iteratorOf(value: Value): Iterator<Value> | undefined {
  if (value instanceof Dict) return value.keys();
  if (value instanceof Tuple) return value.items.values();
  if (value instanceof Iter) return value.iterator;
  if (value instanceof DictView) return value[Symbol.iterator]();
  if (value instanceof Range) return numbers(value);
  if (value instanceof Markup) return characters(value.text);
  if (value instanceof Undefined) return value.isStrict ? value.fail() : [].values();
  if (value instanceof Instance) return value.iterate();
  return undefined;
}

function* characters(text: string): Generator<Value> {
  for (const character of text) yield character;
}

function* numbers(range: Range): Generator<Value> {
  for (let i = 0; i < range.length; i++) yield range.at(i);
}

/** `list(value)`. */
export function listOf(value: Value): Value[] {
  if (Array.isArray(value)) {
    limits.copiedList(value.length);
    return [...value];
  }
  const known = sizeOf(value);
  if (known !== undefined) limits.copiedList(known);
  const items: Value[] = [];
  for (const item of iterate(value)) {
    limits.step();
    items.push(item);
    if (known === undefined) limits.list(items.length);
  }
  if (known === undefined) limits.copiedList(items.length);
  return items;
}

/** `len(value)`; undefined for values without a length. Counts characters, not UTF-16 units. */
export function sizeOf(value: Value): number | undefined {
  const text = textOf(value);
  if (text !== undefined) return codePoints(text);
  if (Array.isArray(value)) return value.length;
  if (value instanceof Dict) return value.size;
  if (value instanceof Tuple) return value.items.length;
  if (value instanceof Range) return value.length;
  if (value instanceof DictView) return value.dict.size;
  if (value instanceof Undefined) return value.isStrict ? value.fail() : 0;
  if (value instanceof Instance) return value.length();
  return undefined;
}

export function len(value: Value): number {
  const size = sizeOf(value);
  if (size === undefined) throw typeError(`object of type '${typeName(value)}' has no len()`);
  return size;
}

const SURROGATE = /[\ud800-\udfff]/;

/** Whether a string has characters that take two UTF-16 units. */
export function isWide(text: string): boolean {
  limits.reading(text.length);
  return SURROGATE.test(text);
}

export function codePoints(text: string): number {
  if (!isWide(text)) return text.length;
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** Converts a plain JavaScript value to a template value. Integral numbers become ints, others floats. */
export function fromJs(value: unknown, level = 0): Value {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isSafeInteger(value) ? value + 0 : Number.isInteger(value) ? BigInt(value) : new PyFloat(value);
    case "bigint":
      return value >= -9007199254740991n && value <= 9007199254740991n ? Number(value) : value;
    case "undefined":
      return null;
    case "object":
      return value === null ? null : fromObject(value, level);
    default:
      throw typeError(`a ${typeof value} is not a value for a template`);
  }
}

function fromObject(value: object, level: number): Value {
  if (value instanceof PyFloat) return value;
  if (level > 200) throw typeError("the values for the template are nested more than 200 levels deep");
  if (Array.isArray(value)) return value.map((item) => fromJs(item, level + 1));
  if (value instanceof Date) throw typeError("a Date is not a value for a template; pass its text");
  if (value instanceof Map || value instanceof Set || value instanceof Promise || ArrayBuffer.isView(value))
    throw typeError(`a ${value.constructor.name} is not a value for a template; pass an object or a list`);
  const dict = new Dict();
  for (const key of Object.keys(value)) {
    const item = (value as Record<string, unknown>)[key];
    if (item !== undefined) dict.set(key, fromJs(item, level + 1));
  }
  return dict;
}
