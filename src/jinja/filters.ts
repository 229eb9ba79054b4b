/** Jinja2's filters, as in `x | join(', ')` (jinja2/filters.py). */
import { equal, ordered, sorted } from "./compare";
import type { Environment, FilterFunction } from "./environment";
import { JinjaError, typeError } from "./errors";
import { argumentError, attributeGetter, attributesGetter, filter, lowered, onText, pairsOf } from "./filter";
import { formatValue } from "./format";
import { limits } from "./limits";
import { attributes, escape, escapeText, stripTags } from "./markup";
import { type Int, multiply, negate, parseFloat_, parseInt_, roundFloat, roundInt, small, toFloat, truncated } from "./numbers";
import { binary, reversed } from "./operators";
import { prettyPrint } from "./pretty";
import { literal, repr, softStr, str } from "./print";
import { strip } from "./strings";
import { TEXT_FILTERS } from "./textFilters";
import {
  asInt,
  Dict,
  Group,
  hashed,
  Iter,
  index,
  isInt,
  isTrue,
  iterate,
  type Keywords,
  len,
  listOf,
  Markup,
  PyFloat,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
} from "./values";

/** An iterator that throws its errors when it is used, like a Python generator. */
function lazily(make: () => Generator<Value>): Iter {
  return new Iter(make());
}

function testOf(environment: Environment, args: readonly Value[], keywords: Keywords | undefined): (value: Value) => boolean {
  const [name, ...rest] = args;
  if (name === undefined) return isTrue;
  const test = named(environment, name, "test");
  return (value) => isTrue(test(environment, [value, ...rest], keywords));
}

function named(environment: Environment, name: Value, kind: "filter" | "test"): FilterFunction {
  const text = textOf(name);
  const found = text === undefined ? undefined : (kind === "filter" ? environment.filters : environment.tests).get(text);
  if (found) return found;
  if (name instanceof Undefined) name.fail();
  if (text === undefined) hashed(name);
  throw new JinjaError("TemplateRuntimeError", `No ${kind} named ${repr(name)}.`);
}

/** `select`, `reject`, and the two that look at an attribute. */
function selecting(name: string, isSelected: boolean, hasAttribute: boolean): FilterFunction {
  return (environment, [value, ...args], keywords) => {
    if (value === undefined) throw typeError(`${name}() missing 1 required positional argument: 'value'`);
    return lazily(function* () {
      if (!isTrue(value)) return;
      let get = (item: Value) => item;
      let rest = args;
      if (hasAttribute) {
        const [attribute, ...others] = args;
        if (attribute === undefined) throw argumentError("Missing parameter for attribute name");
        get = attributeGetter(environment, attribute);
        rest = others;
      }
      const test = testOf(environment, rest, keywords);
      for (const item of iterate(value)) {
        limits.step();
        if (test(get(item)) === isSelected) yield item;
      }
    });
  };
}

const map: FilterFunction = (environment, [value, ...args], keywords) => {
  if (value === undefined) throw typeError("map() missing 1 required positional argument: 'value'");
  return lazily(function* () {
    if (!isTrue(value)) return;
    const work = mapped(environment, args, keywords);
    for (const item of iterate(value)) {
      limits.step();
      yield work(item);
    }
  });
};

function mapped(environment: Environment, args: readonly Value[], keywords: Keywords | undefined): (item: Value) => Value {
  if (args.length === 0 && keywords?.has("attribute")) {
    const { attribute, default: fallback = null, ...others } = Object.fromEntries(keywords);
    const [unknown] = Object.keys(others);
    if (unknown !== undefined) throw argumentError(`Unexpected keyword argument ${repr(unknown)}`);
    return attributeGetter(environment, attribute!, { fallback });
  }
  const [name, ...rest] = args;
  if (name === undefined) throw argumentError("map requires a filter argument");
  let work: FilterFunction | undefined;
  return (item) => (work ??= named(environment, name, "filter"))(environment, [item, ...rest], keywords);
}

/** `min` and `max`. */
function extreme(name: string, order: "<" | ">"): FilterFunction {
  return filter(name, "value case_sensitive= attribute=", (environment, value, isSensitive = false, attribute = null) => {
    const items = iterate(value);
    const first = items.next();
    if (first.done) return environment.undefinedBecause("No aggregated item, sequence was empty.");
    const key = attributeGetter(environment, attribute, { isLowered: !isTrue(isSensitive) });
    let best = { item: first.value, key: key(first.value) };
    for (let next = items.next(); !next.done; next = items.next()) {
      limits.step();
      const other = { item: next.value, key: key(next.value) };
      if (ordered(order, other.key, best.key)) best = other;
    }
    return best.item;
  });
}

const unique = filter(
  "do_unique",
  "value case_sensitive= attribute=",
  (environment, value, isSensitive = false, attribute = null) =>
    lazily(function* () {
      const key = attributeGetter(environment, attribute, { isLowered: !isTrue(isSensitive) });
      const seen = new Set<unknown>();
      for (const item of iterate(value)) {
        limits.step();
        const hash = hashed(key(item));
        if (seen.has(hash)) continue;
        seen.add(hash);
        yield item;
      }
    }),
);

const sort = filter(
  "do_sort",
  "value reverse= case_sensitive= attribute=",
  (environment, value, reverse = false, isSensitive = false, attribute = null) =>
    sorted(listOf(value), attributesGetter(environment, attribute, !isTrue(isSensitive)), index(reverse) !== 0),
);

const dictSort = filter(
  "do_dictsort",
  "value case_sensitive= by= reverse=",
  (_, value, isSensitive = false, by = "key", reverse = false) => {
    const at = ["key", "value"].indexOf(textOf(by) ?? "");
    if (at < 0) throw argumentError('You can only sort by either "key" or "value"');
    const entries = pairsOf(value);
    const key = (entry: Value) => {
      const part = (entry as Tuple).items[at]!;
      return isTrue(isSensitive) ? part : lowered(part);
    };
    return sorted(entries, key, index(reverse) !== 0);
  },
);

const groupBy = filter(
  "do_groupby",
  "value attribute default= case_sensitive=",
  (environment, value, attribute, fallback, isSensitive = false) => {
    const isLowered = !isTrue(isSensitive);
    const key = attributeGetter(environment, attribute!, { isLowered, fallback });
    const groups: { key: Value; items: Value[] }[] = [];
    for (const item of sorted(listOf(value), key, false)) {
      const own = key(item);
      const last = groups.at(-1);
      if (last && equal(last.key, own)) last.items.push(item);
      else groups.push({ key: own, items: [item] });
    }
    const shown = attributeGetter(environment, attribute!, { fallback });
    return groups.map(({ key: own, items }) => new Group(isLowered ? shown(items[0]!) : own, items));
  },
);

const sum = filter("do_sum", "iterable attribute= start=", (environment, value, attribute = null, start = 0) => {
  if (textOf(start) !== undefined) throw typeError("sum() can't sum strings [use ''.join(seq) instead]");
  const get = attribute === null ? (item: Value) => item : attributeGetter(environment, attribute);
  let total = start;
  for (const item of iterate(value)) {
    limits.step();
    total = binary("+", total, get(item));
  }
  return total;
});

const batch = filter("do_batch", "value linecount fill_with=", (_, value, size, fill = null) =>
  lazily(function* () {
    let row: Value[] = [];
    for (const item of iterate(value)) {
      limits.step();
      if (equal(row.length, size!)) {
        yield row;
        row = [];
      }
      row.push(item);
    }
    if (row.length === 0) return;
    if (fill !== null && ordered("<", row.length, size!)) {
      const missing = small(index(size!)) - row.length;
      limits.copiedList(missing);
      row.push(...new Array<Value>(missing).fill(fill));
    }
    yield row;
  }),
);

const slices = filter("do_slice", "value slices fill_with=", (_, value, given, fill = null) =>
  lazily(function* () {
    const items = listOf(value);
    const each = Number(asInt(binary("//", items.length, given!) as Int));
    const longer = Number(asInt(binary("%", items.length, given!) as Int));
    const count = small(index(given!));
    let offset = 0;
    for (let i = 0; i < count; i++) {
      limits.step();
      const start = offset + i * each;
      if (i < longer) offset++;
      const row = items.slice(start, offset + (i + 1) * each);
      if (fill !== null && i >= longer) row.push(fill);
      yield row;
    }
  }),
);

const first = filter("do_first", "seq", (environment, value) => {
  const next = iterate(value).next();
  return next.done ? environment.undefinedBecause("No first item, sequence was empty.") : next.value;
});

const last = filter("do_last", "seq", (environment, value) => {
  const next = reversed(value).iterator.next();
  return next.done ? environment.undefinedBecause("No last item, sequence was empty.") : next.value;
});

const random = filter("do_random", "seq", (environment, value) => {
  const length = len(value);
  if (length === 0) return environment.undefinedBecause("No random item, sequence was empty.");
  const item = environment.item(value, Math.floor(Math.random() * length));
  return item instanceof Undefined ? item.fail() : item;
});

const reverse = filter("do_reverse", "value", (_, value) => {
  if (textOf(value) !== undefined) {
    const text = Array.from(textOf(value)!).reverse().join("");
    return value instanceof Markup ? new Markup(text) : text;
  }
  try {
    return reversed(value);
  } catch (error) {
    if (!(error instanceof JinjaError) || error.kind !== "TypeError") throw error;
  }
  try {
    return listOf(value).reverse();
  } catch (error) {
    if (error instanceof JinjaError && error.kind === "TypeError") throw argumentError("argument must be iterable");
    throw error;
  }
});

const items = filter("do_items", "value", (_, value) =>
  lazily(function* () {
    if (value instanceof Undefined) return;
    if (!(value instanceof Dict)) throw typeError("Can only get item pairs from a mapping.");
    for (const entry of value.items()) yield new Tuple([...entry]);
  }),
);

// Numbers

const abs = filter("abs", "x /", (_, value) => {
  if (isInt(value)) return asInt(value) < 0 ? negate(asInt(value)) : asInt(value);
  if (value instanceof PyFloat) return new PyFloat(Math.abs(value.value));
  throw typeError(`bad operand type for abs(): '${typeName(value)}'`);
});

/** `int(value)`. */
function toInt(value: Value, base?: Value): Int {
  const text = textOf(value);
  if (text !== undefined) return parseInt_(strip(text, "strip"), base === undefined ? 10 : small(index(base)), literal(value));
  if (isInt(value)) return asInt(value);
  if (value instanceof PyFloat) return truncated(value.value);
  if (value instanceof Undefined) value.fail();
  throw typeError(`int() argument must be a string, a bytes-like object or a real number, not '${typeName(value)}'`);
}

/** `float(value)`. */
function float(value: Value): number {
  const text = textOf(value);
  if (text !== undefined) return parseFloat_(strip(text, "strip"), literal(value));
  if (isInt(value)) return toFloat(asInt(value));
  if (value instanceof PyFloat) return value.value;
  if (value instanceof Undefined) value.fail();
  throw typeError(`float() argument must be a string or a real number, not '${typeName(value)}'`);
}

/** The result of `work`, or the other value if a Python handler for these exceptions would catch its error. */
function attempt<T>(work: () => T, kinds: Parameters<JinjaError["isOneOf"]>, otherwise: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof JinjaError && error.isOneOf(...kinds)) return otherwise();
    throw error;
  }
}

const intFilter = filter("do_int", "value default= base=", (_, value, fallback = 0, base = 10) =>
  attempt<Value>(
    () => toInt(value, base),
    ["TypeError", "ValueError"],
    () =>
      attempt<Value>(
        () => truncated(float(value)),
        ["TypeError", "ValueError", "OverflowError"],
        () => fallback,
      ),
  ),
);

const floatFilter = filter("do_float", "value default=", (_, value, fallback = new PyFloat(0)) =>
  attempt<Value>(
    () => new PyFloat(float(value)),
    ["TypeError", "ValueError"],
    () => fallback,
  ),
);

const round = filter("do_round", "value precision= method=", (_, value, precision = 0, method = "common") => {
  const how = textOf(method);
  if (how !== "common" && how !== "ceil" && how !== "floor") throw argumentError("method must be common, ceil or floor");
  if (how === "common") {
    if (!isInt(value) && !(value instanceof PyFloat)) throw typeError(`type ${typeName(value)} doesn't define __round__ method`);
    if (precision === null) return isInt(value) ? asInt(value) : truncated(roundFloat(value.value, 0));
    const digits = Math.max(-1e6, Math.min(1e6, Number(index(precision))));
    if (isInt(value)) return roundInt(asInt(value), digits);
    return new PyFloat(roundFloat(value.value, digits));
  }
  const scale = binary("**", 10, precision);
  const scaled = binary("*", value, scale);
  let whole: Int;
  if (isInt(scaled)) whole = asInt(scaled);
  else if (scaled instanceof PyFloat) whole = truncated(Number.isFinite(scaled.value) ? Math[how](scaled.value) : scaled.value);
  else throw typeError(`must be real number, not ${typeName(scaled)}`);
  return binary("/", whole, scale);
});

const fileSize = filter("do_filesizeformat", "value binary=", (_, value, isBinary = false) => {
  const bytes = float(value);
  const [base, prefixes] = isTrue(isBinary)
    ? [1024, ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"]]
    : [1000, ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"]];
  if (bytes === 1) return "1 Byte";
  if (bytes < (base as number)) return `${String(truncated(bytes))} Bytes`;
  let unit: Int = base as number;
  let prefix = "";
  for (prefix of prefixes as string[]) {
    unit = multiply(unit, base as number);
    if (bytes < unit) break;
  }
  return `${formatValue(new PyFloat(((base as number) * bytes) / toFloat(unit)), ".1f")} ${prefix}`;
});

// Texts

const attr = filter("do_attr", "obj name", (environment, value, name) => {
  const text = textOf(name!);
  if (text === undefined) throw typeError(`attribute name must be string, not '${typeName(name!)}'`);
  if (value instanceof Undefined) value.fail();
  const found = environment.ownAttribute(value, text);
  return found === undefined ? environment.missing(value, text) : found;
});

/** All filters, by name. */
export const FILTERS: ReadonlyMap<string, FilterFunction> = new Map([
  ...TEXT_FILTERS,
  ["abs", abs],
  ["attr", attr],
  ["batch", batch],
  ["capitalize", filter("do_capitalize", "s", onText("capitalize"))],
  [
    "center",
    filter("do_center", "value width=", (environment, value, width = 80) => onText("center")(environment, value, width)),
  ],
  ["count", filter("len", "obj /", (_, value) => len(value))],
  ["d", defaulting()],
  ["default", defaulting()],
  ["dictsort", dictSort],
  ["e", filter("escape", "s /", (_, value) => escape(value))],
  ["escape", filter("escape", "s /", (_, value) => escape(value))],
  ["filesizeformat", fileSize],
  ["first", first],
  ["float", floatFilter],
  ["forceescape", filter("do_forceescape", "value", (_, value) => new Markup(escapeText(str(value))))],
  ["groupby", groupBy],
  ["int", intFilter],
  ["items", items],
  ["last", last],
  ["length", filter("len", "obj /", (_, value) => len(value))],
  ["list", filter("do_list", "value", (_, value) => listOf(value))],
  ["lower", filter("do_lower", "s", onText("lower"))],
  ["map", map],
  ["max", extreme("do_max", ">")],
  ["min", extreme("do_min", "<")],
  ["pprint", filter("do_pprint", "value", (_, value) => prettyPrint(value))],
  ["random", random],
  ["reject", selecting("reject", false, false)],
  ["rejectattr", selecting("rejectattr", false, true)],
  ["reverse", reverse],
  ["round", round],
  ["safe", filter("do_mark_safe", "value", (_, value) => new Markup(str(value)))],
  ["select", selecting("select", true, false)],
  ["selectattr", selecting("selectattr", true, true)],
  ["slice", slices],
  ["sort", sort],
  ["string", filter("soft_str", "s /", (_, value) => softStr(value))],
  ["striptags", filter("do_striptags", "value", (_, value) => stripTags(str(value)))],
  ["sum", sum],
  ["unique", unique],
  ["upper", filter("do_upper", "s", onText("upper"))],
  ["xmlattr", filter("do_xmlattr", "d autospace=", (_, value, autospace = true) => attributes(value, isTrue(autospace)))],
]);

function defaulting(): FilterFunction {
  return filter("do_default", "value default_value= boolean=", (_, value, fallback = "", isBoolean = false) =>
    value instanceof Undefined || (isTrue(isBoolean) && !isTrue(value)) ? fallback : value,
  );
}
