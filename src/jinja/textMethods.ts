/** The methods of strings and of Markup. */
import { typeError, unsupported, valueError } from "./errors";
import { type FieldAccess, formatBraces } from "./format";
import { limits } from "./limits";
import { escape } from "./markup";
import { clamped, type Given, type Method, type Methods, optionalInt, type Raw, table, text } from "./method";
import { small } from "./numbers";
import { str } from "./print";
import { noKeywords, signature } from "./signature";
import * as strings from "./strings";
import {
  codePoints,
  Dict,
  index,
  isInt,
  iterate,
  type Keywords,
  Markup,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
} from "./values";

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

/** The methods of `str` and of Markup. */
export const textMethods: Methods<string | Markup> = new Map<string, Raw<string | Markup>>([
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
