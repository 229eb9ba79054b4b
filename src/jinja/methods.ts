/** The methods and properties of strings, lists, tuples, dicts, ranges and numbers. */
import { contains, equal, sorted } from "./compare";
import { JinjaError, typeError, unsupported, valueError } from "./errors";
import { type FieldAccess, formatBraces } from "./format";
import { limits } from "./limits";
import { escape } from "./markup";
import { type Int, fraction, small } from "./numbers";
import { repr, str } from "./print";
import { noKeywords, signature } from "./signature";
import * as strings from "./strings";
import {
  Builtin,
  Dict,
  DictView,
  Group,
  type Keywords,
  Markup,
  PyFloat,
  Range,
  Tuple,
  Undefined,
  type Value,
  asInt,
  codePoints,
  index,
  isInt,
  isTrue,
  iterate,
  listOf,
  textOf,
  typeName,
} from "./values";

type Given = Value | undefined;
type Method<Self> = (self: Self, ...args: Given[]) => Value;
type Raw<Self> = (self: Self, args: Value[], keywords: Keywords | undefined, access: FieldAccess) => Value;
type Methods<Self> = ReadonlyMap<string, Raw<Self>>;

/** A method with named parameters, see {@link signature}. */
function method<Self>(parameters: string, name: string, work: Method<Self>): Raw<Self> {
  const bound = signature(name, parameters);
  return (self, args, keywords) => work(self, ...bound.bind(args, keywords));
}

function table<Self>(methods: Record<string, [parameters: string, work: Method<Self>]>): [string, Raw<Self>][] {
  return Object.entries(methods).map(([name, [parameters, work]]) => [name, method(parameters, name, work)]);
}

/** An argument that must be a string. */
function text(value: Given, what = "argument"): string {
  const found = value === undefined ? undefined : textOf(value);
  if (found === undefined) throw typeError(`${what} must be str, not ${typeName(value === undefined ? null : value)}`);
  return found;
}

function optionalInt(value: Given): number | undefined {
  return value === undefined || value === null ? undefined : clamped(value);
}

function clamped(value: Value): number {
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Number(index(value))));
}

function size(value: Value): number {
  return small(index(value));
}

function fillOf(value: Given): string {
  const fill = value === undefined ? " " : text(value, "The fill character");
  if (codePoints(fill) !== 1) throw typeError("The fill character must be exactly one character long");
  return fill;
}

function separatorOf(value: Given): string | undefined {
  return value === undefined || value === null ? undefined : text(value);
}

const finding = (isLast: boolean): [string, Method<string>] => [
  "sub start= end= /",
  (self, sub, start, end) => strings.find(self, text(sub), optionalInt(start), optionalInt(end), isLast),
];

const indexing = (isLast: boolean): [string, Method<string>] => [
  "sub start= end= /",
  (self, sub, start, end) => {
    const at = strings.find(self, text(sub), optionalInt(start), optionalInt(end), isLast);
    if (at < 0) throw valueError("substring not found");
    return at;
  },
];

const ending = (isStart: boolean, name: string): [string, Method<string>] => [
  "prefix start= end= /",
  (self, part, start, end) => {
    const length = codePoints(self);
    const [from, to] = strings.bounds(length, optionalInt(start), optionalInt(end));
    const given = part instanceof Tuple ? part.items : [part!];
    const isPart = (each: Value) => {
      const found = textOf(each);
      if (found === undefined)
        throw typeError(
          part instanceof Tuple
            ? `tuple for ${name} must only contain str, not ${typeName(each)}`
            : `${name} first arg must be str or a tuple of str, not ${typeName(each)}`,
        );
      if (from > to || from > length) return false;
      const inner = strings.sliceText(self, { start: from, stop: to, step: 1 });
      return isStart ? inner.startsWith(found) : inner.endsWith(found);
    };
    return given.some(isPart);
  },
];

const splitting = (isRight: boolean): [string, Method<string>] => [
  "sep= maxsplit=",
  (self, separator, most = -1) => strings.split(self, separatorOf(separator), clamped(most), isRight),
];

const parting = (isRight: boolean): [string, Method<string>] => [
  "sep /",
  (self, separator) => {
    const by = text(separator);
    if (by === "") throw valueError("empty separator");
    const at = isRight ? self.lastIndexOf(by) : self.indexOf(by);
    if (at < 0) return new Tuple(isRight ? ["", "", self] : [self, "", ""]);
    return new Tuple([self.slice(0, at), by, self.slice(at + by.length)]);
  },
];

const padding = (side: "ljust" | "rjust" | "center"): [string, Method<string>] => [
  "width fillchar= /",
  (self, width, fill) => strings.pad(self, size(width!), fillOf(fill), side),
];

const stripping = (side: strings.Side): [string, Method<string>] => [
  "chars= /",
  (self, characters) => {
    if (characters === undefined || characters === null) return strings.strip(self, side);
    if (textOf(characters) === undefined) throw typeError(`${side} arg must be None or str`);
    return strings.strip(self, side, textOf(characters));
  },
];

const testing = (kind: keyof typeof strings.KINDS): [string, Method<string>] => ["/", (self) => strings.KINDS[kind].test(self)];

/** `str.join(values)`. */
export function join(separator: string, values: Value, each: (value: Value, at: number) => string): string {
  let result = "";
  let at = 0;
  for (const value of iterate(values)) {
    limits.step();
    result += (at === 0 ? "" : separator) + each(value, at++);
    limits.text(result.length);
  }
  limits.copiedText(result.length);
  return result;
}

function joinable(value: Value, at: number): string {
  const found = textOf(value);
  if (found === undefined) throw typeError(`sequence item ${at}: expected str instance, ${typeName(value)} found`);
  return found;
}

const plain: [string, Raw<string>][] = table<string>({
  capitalize: ["/", strings.capitalize],
  casefold: ["/", strings.caseFold],
  center: padding("center"),
  count: [
    "sub start= end= /",
    (self, sub, start, end) => {
      const length = codePoints(self);
      const [from, to] = strings.bounds(length, optionalInt(start), optionalInt(end));
      return from > to || from > length
        ? 0
        : strings.count(strings.sliceText(self, { start: from, stop: to, step: 1 }), text(sub));
    },
  ],
  encode: [
    "encoding= errors=",
    () => {
      throw unsupported("bytes ('encode')");
    },
  ],
  endswith: ending(false, "endswith"),
  expandtabs: ["tabsize=", (self, tab = 8) => strings.expandTabs(self, size(tab))],
  find: finding(false),
  index: indexing(false),
  isalnum: testing("isalnum"),
  isalpha: testing("isalpha"),
  isascii: testing("isascii"),
  isdecimal: testing("isdecimal"),
  isdigit: testing("isdigit"),
  isidentifier: testing("isidentifier"),
  islower: ["/", (self) => strings.isCase(self, "lower")],
  isnumeric: testing("isnumeric"),
  isprintable: testing("isprintable"),
  isspace: testing("isspace"),
  istitle: ["/", strings.isTitle],
  isupper: ["/", (self) => strings.isCase(self, "upper")],
  join: ["iterable /", (self, values) => join(self, values!, joinable)],
  ljust: padding("ljust"),
  lower: ["/", (self) => self.toLowerCase()],
  lstrip: stripping("lstrip"),
  maketrans: [
    "x y= z= /",
    (_self, x, y, z) => {
      const map = new Dict();
      if (y === undefined) {
        if (!(x instanceof Dict)) throw typeError("if you give only one argument to maketrans it must be a dict");
        for (const [key, value] of x.items()) map.set(typeof key === "string" ? key.codePointAt(0)! : key, value);
        return map;
      }
      const [from, to] = [Array.from(text(x)), Array.from(text(y))];
      if (from.length !== to.length) throw valueError("the first two maketrans arguments must have equal length");
      from.forEach((each, i) => map.set(each.codePointAt(0)!, to[i]!.codePointAt(0)!));
      if (z !== undefined) for (const each of text(z)) map.set(each.codePointAt(0)!, null);
      return map;
    },
  ],
  partition: parting(false),
  removeprefix: ["prefix /", (self, part) => (self.startsWith(text(part)) ? self.slice(text(part).length) : self)],
  removesuffix: [
    "suffix /",
    (self, part) => (text(part) !== "" && self.endsWith(text(part)) ? self.slice(0, -text(part).length) : self),
  ],
  replace: ["old new count= /", (self, old, by, most = -1) => strings.replace(self, text(old), text(by), clamped(most))],
  rfind: finding(true),
  rindex: indexing(true),
  rjust: padding("rjust"),
  rpartition: parting(true),
  rsplit: splitting(true),
  rstrip: stripping("rstrip"),
  split: splitting(false),
  splitlines: ["keepends=", (self, keep = false) => strings.splitLines(self, index(keep) !== 0)],
  startswith: ending(true, "startswith"),
  strip: stripping("strip"),
  swapcase: ["/", strings.swapCase],
  title: ["/", strings.title],
  translate: ["table /", translate],
  upper: ["/", (self) => self.toUpperCase()],
  zfill: ["width /", (self, width) => strings.zfill(self, size(width!))],
});

function translate(self: string, map: Given): Value {
  if (!(map instanceof Dict)) throw unsupported("'translate' with another table than a dict");
  let result = "";
  for (const character of self) {
    limits.step();
    const to = map.get(character.codePointAt(0)!);
    if (to === undefined) result += character;
    else if (to !== null) result += isInt(to) ? String.fromCodePoint(Number(to)) : text(to, "character mapping");
    limits.text(result.length);
  }
  return result;
}

const textMethods: Methods<string | Markup> = new Map<string, Raw<string | Markup>>([
  ...plain.map(([name, work]): [string, Raw<string | Markup>] => [
    name,
    (self, args, keywords, access) => {
      limits.reading(str(self).length);
      return self instanceof Markup ? ofMarkup(name, work, self, args, keywords, access) : work(self, args, keywords, access);
    },
  ]),
  [
    "format",
    (self, args, keywords, access) => {
      const filled = formatBraces(str(self), {
        values: args,
        named: (name) => keywords?.get(name),
        access,
        isEscaped: self instanceof Markup,
      });
      return self instanceof Markup ? new Markup(filled) : filled;
    },
  ],
  [
    "format_map",
    (self, args, keywords, access) => {
      noKeywords("format_map", keywords);
      if (args.length !== 1) throw typeError(`format_map() takes exactly one argument (${args.length} given)`);
      const filled = formatBraces(str(self), {
        values: [],
        named: (name) => {
          const found = args[0] instanceof Undefined ? args[0].fail() : access.item(args[0]!, name);
          return found instanceof Undefined ? undefined : found;
        },
        access,
        isEscaped: self instanceof Markup,
      });
      return self instanceof Markup ? new Markup(filled) : filled;
    },
  ],
]);

/** Methods of Markup whose string arguments are escaped. */
const ESCAPING: Record<string, number> = { replace: 1, ljust: 1, rjust: 1, center: 1 };
/** Methods of Markup whose results are not Markup. */
const BARE = new Set(["encode", "maketrans"]);

function ofMarkup(
  name: string,
  work: Raw<string>,
  self: Markup,
  args: Value[],
  keywords: Keywords | undefined,
  access: FieldAccess,
): Value {
  const at = ESCAPING[name];
  const given = args.map((arg, i) => (i === at ? escape(arg).text : arg));
  if (name === "join") {
    const bound = signature("join", "iterable /").bind(args, keywords);
    return new Markup(join(self.text, bound[0]!, (value) => escape(value).text));
  }
  const result = work(self.text, given, keywords, access);
  return BARE.has(name) ? result : marked(result);
}

function marked(value: Value): Value {
  if (typeof value === "string") return new Markup(value);
  if (Array.isArray(value)) return value.map(marked);
  return value instanceof Tuple ? new Tuple(value.items.map(marked)) : value;
}

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
  ["real", (value) => value],
  ["numerator", (value) => value],
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
