/** The filters that make text. */
import type { FilterFunction } from "./environment";
import { JinjaError, typeError, valueError } from "./errors";
import { argumentError, attributeGetter, filter, onText, pairsOf } from "./filter";
import { json } from "./json";
import { limits } from "./limits";
import { urlize } from "./markup";
import { small } from "./numbers";
import { binary } from "./operators";
import { formatPercent } from "./percent";
import { repr, softStr, str } from "./print";
import { repeat, replace, SPACE_CLASS, splitLines } from "./strings";
import { join } from "./textMethods";
import { wrap } from "./textWrap";
import { Dict, index, isTrue, iterate, len, listOf, Markup, Tuple, textOf, typeName, Undefined, type Value } from "./values";

const TITLE_START = new RegExp(`([-${SPACE_CLASS}({[<]+)`, "u");

const title = filter("do_title", "s", (_, value) =>
  String(textOf(softStr(value)))
    .split(TITLE_START)
    .map((word) => {
      const [first = ""] = word;
      return first.toUpperCase() + word.slice(first.length).toLowerCase();
    })
    .join(""),
);

const indent = filter("do_indent", "s width= first= blank=", (_, value, width = 4, isFirst = false, isBlank = false) => {
  const unit = textOf(width) ?? repeat(" ", Math.max(0, small(index(width))));
  const text = textOf(value);
  if (text === undefined) {
    if (value instanceof Undefined) value.fail();
    if (Array.isArray(value)) throw new JinjaError("AttributeError", "'list' object has no attribute 'splitlines'");
    throw typeError(`unsupported operand type(s) for +=: '${typeName(value)}' and 'str'`);
  }
  const isMarkup = value instanceof Markup;
  const lines = splitLines(`${text}\n`);
  limits.copiedText(text.length + unit.length * (lines.length + 1));
  let result = isTrue(isBlank)
    ? lines.join(`\n${unit}`)
    : lines.map((line, i) => (i === 0 || line === "" ? line : unit + line)).join("\n");
  if (isTrue(isFirst)) result = unit + result;
  return isMarkup ? new Markup(result) : result;
});

const truncate = filter(
  "do_truncate",
  "s length= killwords= end= leeway=",
  (_, value, length = 255, killWords = false, end = "...", leeway = null) => {
    const [most, slack] = [length, leeway ?? 5].map((each) => Number(index(each!)));
    const tail = len(end);
    if (most! < tail) throw new JinjaError("AssertionError", `expected length >= ${tail}, got ${most}`);
    if (slack! < 0) throw new JinjaError("AssertionError", `expected leeway >= 0, got ${slack}`);
    if (len(value) <= most! + slack!) return value;
    const text = textOf(value);
    if (text === undefined) throw new JinjaError("AttributeError", `'${typeName(value)}' object has no attribute 'rsplit'`);
    const ending = textOf(end);
    if (ending === undefined) throw typeError(`can only concatenate str (not "${typeName(end)}") to str`);
    let part = Array.from(text)
      .slice(0, most! - tail)
      .join("");
    if (!isTrue(killWords)) {
      const space = part.lastIndexOf(" ");
      if (space >= 0) part = part.slice(0, space);
    }
    return binary("+", value instanceof Markup ? new Markup(part) : part, end);
  },
);

const wordWrap = filter(
  "do_wordwrap",
  "s width= break_long_words= wrapstring= break_on_hyphens=",
  (_, value, width = 79, breakWords = true, between = null, breakHyphens = true) => {
    const text = textOf(value);
    if (text === undefined) {
      if (value instanceof Undefined) value.fail();
      throw new JinjaError("AttributeError", `'${typeName(value)}' object has no attribute 'splitlines'`);
    }
    const by = between === null ? "\n" : textOf(between);
    if (by === undefined) throw new JinjaError("AttributeError", `'${typeName(between)}' object has no attribute 'join'`);
    const options = { width: Number(index(width)), breaksWords: isTrue(breakWords), breaksHyphens: isTrue(breakHyphens) };
    const result = splitLines(text)
      .map((line) => wrap(line, options).join(by))
      .join(by);
    limits.copiedText(result.length);
    return between instanceof Markup ? new Markup(result) : result;
  },
);

const format: FilterFunction = (_, [value, ...args], keywords) => {
  if (value === undefined) throw typeError("do_format() missing 1 required positional argument: 'value'");
  if (args.length > 0 && keywords !== undefined)
    throw argumentError("can't handle positional and keyword arguments at the same time");
  return formatPercent(softStr(value), keywords ? Dict.of(keywords) : new Tuple(args));
};

const replaceFilter = filter("do_replace", "s old new count=", (_, value, old, by, count = null) => {
  const most = count === null ? -1 : Number(index(count));
  return replace(str(value), str(old!), str(by!), most);
});

const joinFilter = filter("do_join", "value d= attribute=", (environment, value, separator = "", attribute = null) => {
  const get = attribute === null ? undefined : attributeGetter(environment, attribute);
  return join(str(separator), value, (item) => str(get ? get(item) : item));
});

const trim = filter("do_trim", "value chars=", (environment, value, characters = null) =>
  onText("strip")(environment, value, characters),
);

const wordCount = filter("do_wordcount", "s", (_, value) => {
  let count = 0;
  for (const _word of str(value).matchAll(/[\p{L}\p{N}_]+/gu)) {
    limits.step();
    count++;
  }
  return count;
});

// HTML and JSON

const urlizeFilter = filter(
  "do_urlize",
  "value trim_url_limit= nofollow= target= rel= extra_schemes=",
  (_, value, limit = null, noFollow = false, target = null, rel = null, schemes = null) => {
    const parts = new Set(
      rel === null || !isTrue(rel)
        ? []
        : (textOf(rel) ?? "").split(new RegExp(`[${SPACE_CLASS}]+`)).filter((part) => part !== ""),
    );
    if (isTrue(noFollow)) parts.add("nofollow");
    parts.add("noopener");
    const extra =
      schemes === null
        ? []
        : [...iterate(schemes)].map((scheme) => textOf(scheme) ?? fail(typeError("expected string or bytes-like object")));
    for (const scheme of extra)
      if (!/^(?:[\p{L}\p{N}_.+-]{2,}:\/{0,2})$/u.test(scheme))
        throw argumentError(`${repr(scheme)} is not a valid URI scheme prefix.`);
    return urlize(value, {
      limit: limit === null ? undefined : Number(index(limit)),
      rel: [...parts].sort().join(" "),
      target: target === null || !isTrue(target) ? undefined : str(target),
      schemes: extra,
    });
  },
);

function fail(error: Error): never {
  throw error;
}

/** `urllib.parse.quote(text, safe)`. */
function quote(value: Value, isQuery: boolean): string {
  const text = str(value);
  if (/[\ud800-\udfff]/.test(text) && !isWellFormed(text)) throw valueError("surrogates not allowed");
  limits.copiedText(text.length * 3);
  const quoted = encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return isQuery ? quoted.replaceAll("%20", "+") : quoted.replaceAll("%2F", "/");
}

function isWellFormed(text: string): boolean {
  return !/(?:[\ud800-\udbff](?![\udc00-\udfff]))|(?:(?<![\ud800-\udbff])[\udc00-\udfff])/.test(text);
}

const urlEncode = filter("do_urlencode", "value", (_, value) => {
  if (textOf(value) !== undefined || value instanceof Undefined) {
    if (!(value instanceof Undefined)) return quote(value, false);
    return value.isStrict ? value.fail() : "";
  }
  let entries: Iterable<Value>;
  if (value instanceof Dict) entries = pairsOf(value);
  else {
    try {
      entries = iterate(value);
    } catch (error) {
      if (error instanceof JinjaError && error.kind === "TypeError") return quote(value, false);
      throw error;
    }
  }
  const parts: string[] = [];
  for (const entry of entries) {
    limits.step();
    const pair = listOf(entry);
    if (pair.length !== 2)
      throw valueError(
        pair.length > 2
          ? "too many values to unpack (expected 2)"
          : `not enough values to unpack (expected 2, got ${pair.length})`,
      );
    parts.push(`${quote(pair[0]!, true)}=${quote(pair[1]!, true)}`);
  }
  return parts.join("&");
});

/** `tojson` of transformers: plain `json.dumps`. */
export const chatToJson = filter(
  "tojson",
  "x ensure_ascii= indent= separators= sort_keys=",
  (_, value, ascii = false, space = null, separators = null, sortKeys = false) =>
    json(value, { ascii: isTrue(ascii), indent: space, separators, sortKeys: isTrue(sortKeys) }),
);

/** Jinja2's own `tojson`, for HTML. */
const htmlToJson = filter("do_tojson", "value indent=", (_, value, space = null) => {
  const text = json(value, { ascii: true, indent: space, separators: null, sortKeys: true });
  return new Markup(text.replace(/[<>&']/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`));
});

/** By name; `tojson` is Jinja2's own. */
export const TEXT_FILTERS: readonly (readonly [string, FilterFunction])[] = [
  ["format", format],
  ["indent", indent],
  ["join", joinFilter],
  ["replace", replaceFilter],
  ["title", title],
  ["tojson", htmlToJson],
  ["trim", trim],
  ["truncate", truncate],
  ["urlencode", urlEncode],
  ["urlize", urlizeFilter],
  ["wordcount", wordCount],
  ["wordwrap", wordWrap],
];
