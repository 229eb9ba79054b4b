/**
 * The methods of Python's `str` on JavaScript strings. Positions and lengths count code points, as in Python; in most
 * strings, which have no characters beyond U+FFFF, these are the same as in JavaScript.
 */
import { valueError } from "./errors";
import { limits } from "./limits";
import { codePoints, isWide } from "./values";

/** The characters that `str.isspace` accepts, as a class without brackets; JavaScript's `\s` differs in six. */
export const SPACE_CLASS = "\\t-\\r\\x1c- \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
/** The characters that Python's `\w` matches, as a class without brackets. */
export const WORD_CLASS = "\\p{L}\\p{N}_";
const SPACE = new RegExp(`[${SPACE_CLASS}]`);
const NEWLINES = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/g;

/** What the character after a backslash stands for in a Python string literal; others, besides numbers, have no meaning. */
export const PYTHON_ESCAPES: Readonly<Record<string, string>> = {
  "\n": "",
  "\\": "\\",
  "'": "'",
  '"': '"',
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

export type Side = "strip" | "lstrip" | "rstrip";

/** Strips white space, or the characters in `taken`, from the ends. */
export function strip(text: string, side: Side, taken?: string): string {
  if (taken === undefined) return stripSpace(text, side);
  const set = new Set(taken);
  const points = isWide(text) ? Array.from(text) : text;
  let start = 0;
  let end = points.length;
  if (side !== "rstrip") while (start < end && set.has(points[start]!)) start++;
  if (side !== "lstrip") while (end > start && set.has(points[end - 1]!)) end--;
  return typeof points === "string" ? points.slice(start, end) : points.slice(start, end).join("");
}

function stripSpace(text: string, side: Side): string {
  let start = 0;
  let end = text.length;
  if (side !== "rstrip") while (start < end && SPACE.test(text[start]!)) start++;
  if (side !== "lstrip") while (end > start && SPACE.test(text[end - 1]!)) end--;
  return text.slice(start, end);
}

/** `text[start:stop:step]`, with positions within the text. */
export function sliceText(text: string, positions: { start: number; stop: number; step: number }): string {
  const { start, stop, step } = positions;
  const points = isWide(text) ? Array.from(text) : undefined;
  if (step === 1) return points ? points.slice(start, stop).join("") : text.slice(start, stop);
  let result = "";
  for (let i = start; step > 0 ? i < stop : i > stop; i += step) result += points ? points[i]! : text[i]!;
  return result;
}

/** The character at a position; undefined if out of range. Negative positions count from the end. */
export function characterAt(text: string, at: number): string | undefined {
  if (!isWide(text)) return text[at < 0 ? text.length + at : at];
  return Array.from(text).at(at);
}

/** `[start, stop]` of `str.find(sub, start, stop)` and the like, within a length. */
export function bounds(length: number, start: number | undefined, stop: number | undefined): [number, number] {
  const within = (at: number) => (at < 0 ? Math.max(0, at + length) : at);
  return [within(start ?? 0), Math.min(length, within(stop ?? length))];
}

/** The first or last position of a substring within bounds; -1 if there is none. */
export function find(text: string, part: string, start: number | undefined, stop: number | undefined, last = false): number {
  const [from, to] = bounds(codePoints(text), start, stop);
  if (from > to) return -1;
  const inner = sliceText(text, { start: from, stop: to, step: 1 });
  limits.step(text.length / 4096);
  const at = last ? inner.lastIndexOf(part) : inner.indexOf(part);
  return at < 0 ? -1 : from + (isWide(inner) ? codePoints(inner.slice(0, at)) : at);
}

/** How often a text contains another. */
export function count(text: string, part: string): number {
  if (part === "") return codePoints(text) + 1;
  let found = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) found++;
  return found;
}

/** `text.replace(old, new, most)`; replaces all if -1. */
export function replace(text: string, old: string, by: string, most: number): string {
  const found = count(text, old);
  const times = most < 0 ? found : Math.min(most, found);
  if (times === 0) return text;
  limits.copiedText(text.length + times * (by.length - old.length));
  limits.step(text.length / 4096);
  if (old === "") {
    let result = "";
    let left = times;
    for (const character of text) result += (left-- > 0 ? by : "") + character;
    return left > 0 ? result + by : result;
  }
  if (times === found) return text.split(old).join(by);
  let result = "";
  let from = 0;
  for (let i = 0; i < times; i++) {
    const at = text.indexOf(old, from);
    result += text.slice(from, at) + by;
    from = at + old.length;
  }
  return result + text.slice(from);
}

/** `text.split(separator, most)`, from the left or the right; at white space without a separator. */
export function split(text: string, separator: string | undefined, most: number, fromRight = false): string[] {
  if (separator === "") throw valueError("empty separator");
  limits.copiedText(text.length);
  if (separator === undefined) return fromRight ? splitWordsRight(text, most) : splitWords(text, most);
  limits.list(count(text, separator) + 1);
  const parts = text.split(separator);
  limits.copiedList(parts.length);
  if (most < 0 || parts.length <= most + 1) return parts;
  if (fromRight) return [parts.slice(0, parts.length - most).join(separator), ...parts.slice(parts.length - most)];
  return [...parts.slice(0, most), parts.slice(most).join(separator)];
}

function splitWords(text: string, most: number): string[] {
  const words: string[] = [];
  let at = 0;
  for (;;) {
    while (at < text.length && SPACE.test(text[at]!)) at++;
    if (at >= text.length) break;
    if (most >= 0 && words.length >= most) {
      words.push(text.slice(at));
      break;
    }
    const start = at;
    while (at < text.length && !SPACE.test(text[at]!)) at++;
    words.push(text.slice(start, at));
  }
  limits.copiedList(words.length);
  return words;
}

function splitWordsRight(text: string, most: number): string[] {
  const words: string[] = [];
  let end = text.length;
  for (;;) {
    while (end > 0 && SPACE.test(text[end - 1]!)) end--;
    if (end === 0) break;
    if (most >= 0 && words.length >= most) {
      words.push(text.slice(0, end));
      break;
    }
    const stop = end;
    while (end > 0 && !SPACE.test(text[end - 1]!)) end--;
    words.push(text.slice(end, stop));
  }
  limits.copiedList(words.length);
  return words.reverse();
}

/** `text.splitlines(keepends)`. */
export function splitLines(text: string, keepEnds = false): string[] {
  const lines: string[] = [];
  let from = 0;
  for (const match of text.matchAll(NEWLINES)) {
    const end = match.index + match[0].length;
    lines.push(text.slice(from, keepEnds ? end : match.index));
    from = end;
    limits.list(lines.length);
  }
  if (from < text.length) lines.push(text.slice(from));
  limits.copiedList(lines.length);
  return lines;
}

/** Pads a string to a width. */
export function pad(text: string, width: number, fill: string, side: "ljust" | "rjust" | "center"): string {
  const length = codePoints(text);
  const missing = width - length;
  if (missing <= 0) return text;
  limits.copiedText(text.length + missing * fill.length);
  const left = side === "ljust" ? 0 : side === "rjust" ? missing : Math.floor(missing / 2) + (missing & width & 1);
  return fill.repeat(left) + text + fill.repeat(missing - left);
}

/** `text.zfill(width)`. */
export function zfill(text: string, width: number): string {
  const missing = width - codePoints(text);
  if (missing <= 0) return text;
  limits.copiedText(text.length + missing);
  const sign = /^[+-]/.test(text) ? text[0]! : "";
  return sign + "0".repeat(missing) + text.slice(sign.length);
}

/** `text.expandtabs(size)`. */
export function expandTabs(text: string, size: number): string {
  let result = "";
  let column = 0;
  for (const character of text) {
    if (character === "\t") {
      const spaces = size > 0 ? size - (column % size) : 0;
      limits.text(result.length + spaces);
      result += " ".repeat(spaces);
      column += spaces;
    } else {
      result += character;
      column = character === "\n" || character === "\r" ? 0 : column + 1;
    }
  }
  limits.copiedText(result.length);
  return result;
}

/** Ranges of characters whose title case is not the upper case, with what it is. */
const TITLES: readonly (readonly [first: number, last: number, title: (code: number) => string])[] = [
  [0x10d0, 0x10ff, String.fromCodePoint],
  [0x1c4, 0x1cc, (code) => "ǅǈǋ"[Math.floor((code - 0x1c4) / 3)]!],
  [0x1f1, 0x1f3, () => "ǲ"],
  [0x1f80, 0x1faf, (code) => String.fromCodePoint(code | 8)],
  ...[0x1fb3, 0x1fc3, 0x1ff3].map((code) => [code, code, () => String.fromCodePoint(code + 9)] as const),
  ...[0x1fbc, 0x1fcc, 0x1ffc].map((code) => [code, code, String.fromCodePoint] as const),
];
/** Greek letters with an iota below, which the title case keeps below. */
const WITH_IOTA = new Set([0x1fb2, 0x1fb4, 0x1fc2, 0x1fc4, 0x1ff2, 0x1ff4, 0x1fb7, 0x1fc7, 0x1ff7]);

/** The title case of one character: `Ǆ` has its own, for others it is the upper case. */
function titled(character: string): string {
  const code = character.codePointAt(0)!;
  if (code < 0x80) return character.toUpperCase();
  const own = TITLES.find(([first, last]) => code >= first && code <= last);
  if (own) return own[2](code);
  const [first = "", ...rest] = character.toUpperCase();
  if (WITH_IOTA.has(code)) return [first, ...rest.slice(0, -1)].join("") + "\u0345";
  return code === 0x149 ? first + rest.join("") : first + rest.join("").toLowerCase();
}

/** `text.capitalize()`. */
export function capitalize(text: string): string {
  const [first = ""] = text;
  return titled(first) + lowerAfter(text.slice(first.length), first);
}

/** The lower case of a string that follows another: a final Σ depends on what precedes it. */
function lowerAfter(text: string, before: string): string {
  return `${before}${text}`.toLowerCase().slice(before.toLowerCase().length);
}

const CASED = /\p{Cased}/u;

/** `text.title()`. */
export function title(text: string): string {
  let result = "";
  let word = "";
  const flush = () => {
    if (word !== "") {
      const [first = ""] = word;
      result += titled(first) + lowerAfter(word.slice(first.length), first);
    }
    word = "";
  };
  for (const character of text) {
    if (CASED.test(character)) word += character;
    else {
      flush();
      result += character;
    }
  }
  flush();
  return result;
}

/** `text.swapcase()`. */
export function swapCase(text: string): string {
  let result = "";
  for (const character of text)
    result += /\p{Uppercase}/u.test(character)
      ? character.toLowerCase()
      : /\p{Lowercase}/u.test(character)
        ? character.toUpperCase()
        : character;
  return result;
}

/** `text.casefold()`. */
export function caseFold(text: string): string {
  if (/^[\0-\x7f]*$/.test(text)) return text.toLowerCase();
  let result = "";
  for (const character of text)
    result +=
      character === "ı" || character === "ẞ"
        ? character === "ı"
          ? "ı"
          : "ss"
        : /[Ꭰ-Ᏽᏸ-ᏽꭰ-ꮿ]/.test(character)
          ? character.toUpperCase()
          : character.toUpperCase().toLowerCase();
  return result;
}

const DIGITS =
  "\\p{Nd}\\xb2\\xb3\\xb9\\u1369-\\u1371\\u19da\\u2070\\u2074-\\u2079\\u2080-\\u2089\\u2460-\\u2468\\u2474-\\u247c\\u2488-\\u2490" +
  "\\u24ea\\u24f5-\\u24fd\\u24ff\\u2776-\\u277e\\u2780-\\u2788\\u278a-\\u2792\\u{10a40}-\\u{10a43}\\u{10e60}-\\u{10e68}" +
  "\\u{11052}-\\u{1105a}\\u{1f100}-\\u{1f10a}";
/** Ideographs that are numbers. */
const NUMERALS =
  "㐅㒃㠪㭍一七万三九二五亖亿-什仟仨伍佰億兆兩八六十千-卅卌叁-叄四壱壹幺廾-廿弌-弎弐拾捌柒漆玖百肆萬貮貳贰阡陆陌陸零參拾兩零六陸什" +
  "𠀁𠁤𠃢𠄡𠤪𠦃𠦌𠦜𠫪𠫽𠬙𢎐𢦘𣬛𦉭廾";

const all = (characters: string) => new RegExp(`^[${characters}]+$`, "u");

/** `str.isalpha` and the like: whether all characters are of a kind and there is at least one. */
export const KINDS = {
  isalnum: all(`\\p{L}\\p{N}${NUMERALS}`),
  isalpha: all("\\p{L}"),
  isascii: /^[\0-\x7f]*$/,
  isdecimal: all("\\p{Nd}"),
  isdigit: all(DIGITS),
  isidentifier: /^[\p{XID_Start}_]\p{XID_Continue}*$/u,
  isnumeric: all(`\\p{N}${NUMERALS}`),
  isprintable: /^(?:[^\p{C}\p{Z}]| )*$/u,
  isspace: all(SPACE_CLASS),
} as const;

/** `text.islower()`, `text.isupper()`. */
export function isCase(text: string, property: "lower" | "upper"): boolean {
  const [wanted, other] =
    property === "lower" ? [/\p{Lowercase}/u, /[\p{Uppercase}\p{Lt}]/u] : [/\p{Uppercase}/u, /[\p{Lowercase}\p{Lt}]/u];
  return wanted.test(text) && !other.test(text);
}

/** `text.istitle()`. */
export function isTitle(text: string): boolean {
  let [isCased, wasCased] = [false, false];
  for (const character of text) {
    if (/[\p{Uppercase}\p{Lt}]/u.test(character)) {
      if (wasCased) return false;
      wasCased = isCased = true;
    } else if (/\p{Lowercase}/u.test(character)) {
      if (!wasCased) return false;
      wasCased = isCased = true;
    } else wasCased = false;
  }
  return isCased;
}

/** Repeats a string. */
export function repeat(text: string, times: number): string {
  if (times <= 0 || text === "") return "";
  limits.copiedText(text.length * times);
  return text.repeat(times);
}

/** `text.isspace()`. */
export function isBlank(text: string): boolean {
  return KINDS.isspace.test(text);
}
