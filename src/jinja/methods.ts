/** The methods and properties of lists, tuples, dicts, ranges and numbers; and which methods a value has. */
import { contains, equal, sorted } from "./compare";
import { JinjaError, typeError, unsupported, valueError } from "./errors";
import type { FieldAccess } from "./format";
import { limits } from "./limits";
import { clamped, type Given, type Methods, optionalInt, type Raw, table } from "./method";
import { fraction, type Int } from "./numbers";
import { repr } from "./print";
import * as strings from "./strings";
import { textMethods } from "./textMethods";
import {
  asInt,
  Builtin,
  Dict,
  DictView,
  Group,
  isInt,
  isTrue,
  iterate,
  type Keywords,
  listOf,
  Markup,
  PyFloat,
  Range,
  Tuple,
  Undefined,
  type Value,
} from "./values";

function place(items: readonly Value[], value: Value, start: Given, stop: Given): number {
  const [from, to] = strings.bounds(items.length, optionalInt(start), optionalInt(stop));
  for (let i = from; i < to; i++) {
    limits.step();
    if (items[i] === value || equal(items[i]!, value)) return i;
  }
  return -1;
}

function occurrences(items: Iterable<Value>, value: Value): number {
  let count = 0;
  for (const item of items) {
    limits.step();
    if (item === value || equal(item, value)) count++;
  }
  return count;
}

const listMethods: Methods<Value[]> = new Map(
  table<Value[]>({
    append: [
      "object /",
      (self, item) => {
        limits.list(self.length + 1);
        self.push(item!);
        return null;
      },
    ],
    clear: [
      "/",
      (self) => {
        self.length = 0;
        return null;
      },
    ],
    copy: ["/", (self) => listOf(self)],
    count: ["value /", (self, value) => occurrences(self, value!)],
    extend: [
      "iterable /",
      (self, values) => {
        for (const item of listOf(values!)) self.push(item);
        limits.list(self.length);
        return null;
      },
    ],
    index: [
      "value start= stop= /",
      (self, value, start, stop) => {
        const at = place(self, value!, start, stop);
        if (at < 0) throw valueError(`${repr(value!)} is not in list`);
        return at;
      },
    ],
    insert: [
      "index object /",
      (self, at, item) => {
        limits.list(self.length + 1);
        self.splice(clamped(at!), 0, item!);
        return null;
      },
    ],
    pop: [
      "index= /",
      (self, at = -1) => {
        if (self.length === 0) throw new JinjaError("IndexError", "pop from empty list");
        const from = clamped(at) < 0 ? clamped(at) + self.length : clamped(at);
        if (from < 0 || from >= self.length) throw new JinjaError("IndexError", "pop index out of range");
        return self.splice(from, 1)[0]!;
      },
    ],
    remove: [
      "value /",
      (self, value) => {
        const at = place(self, value!, undefined, undefined);
        if (at < 0) throw valueError("list.remove(x): x not in list");
        self.splice(at, 1);
        return null;
      },
    ],
    reverse: [
      "/",
      (self) => {
        self.reverse();
        return null;
      },
    ],
    sort: [
      "key= reverse=",
      (self, key = null, reverse = false) => {
        if (key !== null) throw unsupported("'sort' of a list with a key");
        self.splice(0, self.length, ...sorted(self, (value) => value, isTrue(reverse)));
        return null;
      },
    ],
  }),
);

const tupleMethods: Methods<Tuple> = new Map(
  table<Tuple>({
    count: ["value /", (self, value) => occurrences(self.items, value!)],
    index: [
      "value start= stop= /",
      (self, value, start, stop) => {
        const at = place(self.items, value!, start, stop);
        if (at < 0) throw valueError("tuple.index(x): x not in tuple");
        return at;
      },
    ],
  }),
);

const rangeMethods: Methods<Range> = new Map(
  table<Range>({
    count: ["value /", (self, value) => Number(contains(self, value!))],
    index: [
      "value /",
      (self, value) => {
        if (!contains(self, value!)) throw valueError(`${repr(value!)} is not in range`);
        return (Number(value) - self.start) / self.step;
      },
    ],
  }),
);

/** What `dict(...)` and `dict.update(...)` take: a mapping or pairs, and keywords. */
export function entriesOf(name: string, args: readonly Value[], keywords: Keywords | undefined): [Value, Value][] {
  if (args.length > 1) throw typeError(`${name} expected at most 1 argument, got ${args.length}`);
  const entries: [Value, Value][] = [];
  const [source] = args;
  if (source instanceof Dict) entries.push(...source.items());
  else if (source instanceof Undefined) source.fail();
  else if (source !== undefined) {
    let at = 0;
    for (const pair of iterate(source)) {
      limits.step();
      let items: Value[];
      try {
        items = listOf(pair);
      } catch (error) {
        if (!(error instanceof JinjaError)) throw error;
        throw typeError(`cannot convert dictionary update sequence element #${at} to a sequence`);
      }
      if (items.length !== 2)
        throw valueError(`dictionary update sequence element #${at} has length ${items.length}; 2 is required`);
      entries.push(items as [Value, Value]);
      at++;
    }
  }
  limits.copiedList(entries.length);
  return [...entries, ...(keywords ?? [])];
}

const dictMethods: Methods<Dict> = new Map<string, Raw<Dict>>([
  ...table<Dict>({
    clear: [
      "/",
      (self) => {
        for (const key of [...self.keys()]) self.delete(key);
        return null;
      },
    ],
    copy: ["/", (self) => self.copy()],
    fromkeys: ["iterable value= /", (_self, keys, value = null) => fromKeys(keys!, value)],
    get: ["key default= /", (self, key, other = null) => self.getOr(key!, other)],
    items: ["/", (self) => new DictView(self, "items")],
    keys: ["/", (self) => new DictView(self, "keys")],
    pop: [
      "key default= /",
      (self, key, other) => {
        const value = self.has(key!) ? self.get(key!) : other;
        if (value === undefined) throw new JinjaError("KeyError", repr(key!));
        self.delete(key!);
        return value;
      },
    ],
    popitem: [
      "/",
      (self) => {
        const last = [...self.items()].at(-1);
        if (last === undefined) throw new JinjaError("KeyError", "'popitem(): dictionary is empty'");
        self.delete(last[0]);
        return new Tuple([...last]);
      },
    ],
    setdefault: [
      "key default= /",
      (self, key, other = null) => {
        if (!self.has(key!)) self.set(key!, other);
        return self.get(key!)!;
      },
    ],
    values: ["/", (self) => new DictView(self, "values")],
  }),
  [
    "update",
    (self, args, keywords) => {
      for (const [key, value] of entriesOf("update", args, keywords)) self.set(key, value);
      return null;
    },
  ],
]);

/** `dict.fromkeys(keys, value)`. */
export function fromKeys(keys: Value, value: Value): Dict {
  const dict = new Dict();
  for (const key of listOf(keys)) dict.set(key, value);
  return dict;
}

const intMethods: Methods<number | bigint> = new Map(
  table<number | bigint>({
    as_integer_ratio: ["/", (self) => new Tuple([self, 1])],
    bit_count: ["/", (self) => BigInt(self).toString(2).replaceAll(/[-0]/g, "").length],
    bit_length: ["/", (self) => (self === 0 ? 0 : BigInt(self).toString(2).replace("-", "").length)],
    conjugate: ["/", (self) => self],
    to_bytes: [
      "length= byteorder= signed=",
      () => {
        throw unsupported("bytes ('to_bytes')");
      },
    ],
    from_bytes: [
      "bytes byteorder= signed=",
      () => {
        throw unsupported("bytes ('from_bytes')");
      },
    ],
  }),
);

const floatMethods: Methods<PyFloat> = new Map(
  table<PyFloat>({
    as_integer_ratio: [
      "/",
      ({ value }) => {
        if (Number.isFinite(value)) return new Tuple(fraction(value));
        if (Number.isNaN(value)) throw valueError("cannot convert NaN to integer ratio");
        throw new JinjaError("OverflowError", "cannot convert Infinity to integer ratio");
      },
    ],
    conjugate: ["/", (self) => self],
    fromhex: [
      "string /",
      () => {
        throw unsupported("'fromhex' of a float");
      },
    ],
    hex: [
      "/",
      () => {
        throw unsupported("'hex' of a float");
      },
    ],
    is_integer: ["/", ({ value }) => Number.isInteger(value)],
  }),
);

const viewMethods: Methods<DictView> = new Map(
  table<DictView>({ isdisjoint: ["other /", (self, other) => ![...iterate(other!)].some((item) => contains(self, item))] }),
);

/** A method as a function; undefined if the value has no method of that name. */
export function methodOf(access: FieldAccess, object: Value, name: string): Value | undefined {
  const work = methodsOf(object)?.get(name);
  if (work === undefined) return undefined;
  return new Builtin(name, (args, keywords) => work(object as never, args, keywords, access), "builtin_function_or_method");
}

/** Whether a value has a method. */
export function hasMethod(object: Value, name: string): boolean {
  return methodsOf(object)?.has(name) === true;
}

/** Calls a method that the value has, without creating a function object. */
export function callMethod(
  access: FieldAccess,
  object: Value,
  name: string,
  args: Value[],
  keywords: Keywords | undefined,
): Value {
  return methodsOf(object)!.get(name)!(object as never, args, keywords, access);
}

function methodsOf(object: Value): Methods<never> | undefined {
  if (typeof object === "string" || object instanceof Markup) return textMethods;
  if (Array.isArray(object)) return listMethods;
  if (object instanceof Dict) return dictMethods;
  if (object instanceof Tuple) return tupleMethods;
  if (object instanceof Range) return rangeMethods;
  if (typeof object === "boolean") return boolMethods;
  if (isInt(object)) return intMethods;
  if (object instanceof PyFloat) return floatMethods;
  if (object instanceof DictView && object.kind !== "values") return viewMethods;
  return undefined;
}

const boolMethods: Methods<boolean> = new Map(
  [...intMethods].map(([name, work]): [string, Raw<boolean>] => [
    name,
    (self, args, keywords, access) => work(asInt(self) as number, args, keywords, access),
  ]),
);

const INT_PROPERTIES: ReadonlyMap<string, (value: Int) => Int> = new Map([
  ["real", (value: Int) => value],
  ["numerator", (value: Int) => value],
  ["imag", () => 0],
  ["denominator", () => 1],
]);

/** The value of an attribute that is not a method; undefined if there is none. */
export function propertyOf(object: Value, name: string): Value | undefined {
  if (isInt(object)) return INT_PROPERTIES.get(name)?.(asInt(object));
  if (object instanceof PyFloat) return name === "real" ? object : name === "imag" ? new PyFloat(0) : undefined;
  if (object instanceof Range && (name === "start" || name === "stop" || name === "step")) return object[name];
  if (object instanceof Group && (name === "grouper" || name === "list")) return object[name];
  if (object instanceof DictView && name === "mapping") throw unsupported("'mapping' of a view of a dict");
  return undefined;
}
