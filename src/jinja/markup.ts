/** HTML in templates: escaping, tags, links (markupsafe and jinja2.utils). */
import { JinjaError, typeError, unsupported, valueError } from "./errors";
import { limits } from "./limits";
import { str } from "./print";
import { SPACE_CLASS, split, WORD_CLASS as WORD } from "./strings";
import { codePoints, Dict, Markup, textOf, typeName, Undefined, type Value } from "./values";

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#39;", '"': "&#34;" };

export function escapeText(text: string): string {
  return text.replace(/[&<>'"]/g, (character) => ENTITIES[character]!);
}

/** `markupsafe.escape(value)`. */
export function escape(value: Value): Markup {
  if (value instanceof Markup) return value;
  const escaped = escapeText(str(value));
  limits.copiedText(escaped.length);
  return new Markup(escaped);
}

/** `Markup(text).striptags()`. */
export function stripTags(text: string): string {
  let value = text;
  const parts: string[] = [];
  let at = 0;
  for (let start = value.indexOf("<", at); start >= 0; start = value.indexOf("<", at)) {
    const isComment = value.startsWith("<!--", start);
    const end = isComment ? value.indexOf("-->", start + 4) : value.indexOf(">", start);
    if (end < 0) break;
    parts.push(value.slice(at, start));
    at = end + (isComment ? 3 : 1);
    limits.step();
  }
  if (at > 0) value = parts.join("") + value.slice(at);
  return unescape(split(value, undefined, -1).join(" "));
}

const NAMED: Record<string, string> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: "\xa0",
  copy: "\xa9",
  reg: "\xae",
  mdash: "—",
  ndash: "–",
  hellip: "…",
  lsquo: "‘",
  rsquo: "’",
  ldquo: "“",
  rdquo: "”",
  laquo: "«",
  raquo: "»",
  bull: "•",
  middot: "·",
};
/** Entities that HTML recognises without a semicolon. */
const BARE = /^(?:amp|lt|gt|quot|nbsp|copy|reg|laquo|raquo|middot)/;

/** `html.unescape(text)`. @throws JinjaError for the rarer ones of the 2,231 names */
function unescape(text: string): string {
  return text.replace(/&(#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)/g, (whole, inner: string) => {
    if (inner.startsWith("#"))
      return numbered(/^#x/i.test(inner) ? Number.parseInt(inner.slice(2), 16) : Number.parseInt(inner.slice(1), 10));
    const name = inner.replace(/;$/, "");
    if (inner.endsWith(";") && NAMED[name] !== undefined) return NAMED[name];
    const bare = BARE.exec(name)?.[0];
    if (bare !== undefined && name === bare) return NAMED[bare]! + inner.slice(bare.length);
    if (!/^[A-Za-z]/.test(name)) return whole;
    throw unsupported(`the HTML entity '${whole}' in striptags`);
  });
}

/** How HTML maps the code points of Windows-1252 characters. */
const WINDOWS = "€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ";

function numbered(code: number): string {
  if (code === 0) return "\ufffd";
  if (code === 0x0d) return "\r";
  if (code >= 0x80 && code <= 0x9f) return WINDOWS[code - 0x80]!;
  if ((code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) return "\ufffd";
  const isControl = (code >= 1 && code <= 8) || code === 0xb || (code >= 0xe && code <= 0x1f) || code === 0x7f;
  return isControl || (code >= 0xfdd0 && code <= 0xfdef) || (code & 0xfffe) === 0xfffe ? "" : String.fromCodePoint(code);
}

const HTTP = new RegExp(
  `^((https?:\\/\\/|www\\.)(([${WORD}%-]+\\.)+)?([a-z]{2,63}|xn--[${WORD}%]{2,59})|([${WORD}%-]{2,63}\\.)+(com|net|int|edu|gov|org|info|mil)` +
    `|(https?:\\/\\/)((([\\p{Nd}]{1,3})(\\.[\\p{Nd}]{1,3}){3})|(\\[([\\p{Nd}a-f]{0,4}:){2}([\\p{Nd}a-f]{0,4}:?){1,6}\\])))` +
    `(?::[\\p{Nd}]{1,5})?(?:[\\/?#][^${SPACE_CLASS}]*)?\\n?$`,
  "iu",
);
const EMAIL = new RegExp(`^[^${SPACE_CLASS}]+@[${WORD}][${WORD}.-]*\\.[${WORD}]+\\n?$`, "u");
const SPACES = new RegExp(`([${SPACE_CLASS}]+)`);
/** Maximum length of a word that may be a link; the patterns take too long on longer ones. */
const LONGEST_LINK = 10_000;

export interface UrlizeOptions {
  readonly limit: number | undefined;
  readonly rel: string | undefined;
  readonly target: string | undefined;
  readonly schemes: readonly string[];
}

/** `urlize(text, ...)` of jinja2.utils. */
export function urlize(value: Value, { limit, rel, target, schemes }: UrlizeOptions): string {
  const trim = (text: string) =>
    limit !== undefined && codePoints(text) > limit ? `${Array.from(text).slice(0, limit).join("")}...` : text;
  const attributes = (rel ? ` rel="${escapeText(rel)}"` : "") + (target ? ` target="${escapeText(target)}"` : "");
  const words = escape(value).text.split(SPACES);
  let length = 0;
  const linked = words.map((word) => {
    limits.step(1 + word.length / 16);
    const result = linkedWord(word, trim, attributes, schemes);
    limits.text((length += result.length));
    return result;
  });
  limits.copiedText(length);
  return linked.join("");
}

function linkedWord(word: string, trim: (text: string) => string, attributes: string, schemes: readonly string[]): string {
  const head = /^([(<]|&lt;)+/.exec(word)?.[0] ?? "";
  const rest = word.slice(head.length);
  const end = punctuationOf(rest);
  const [middle, tail] = balanced(rest.slice(0, end), rest.slice(end));
  if (middle.length > LONGEST_LINK && /@|www\.|:\/\/|\./.test(middle))
    throw unsupported(`a word of ${middle.length} characters in urlize`);
  return head + linked(middle, trim, attributes, schemes) + tail;
}

/** Where the punctuation at the end of a word begins. */
function punctuationOf(word: string): number {
  let end = word.length;
  if (!/(?:[)>.,\n]|&gt;)$/.test(word)) return end;
  for (;;) {
    if (/[)>.,\n]/.test(word[end - 1] ?? "")) end--;
    else if (word.endsWith("&gt;", end)) end -= 4;
    else return end;
  }
}

const BRACKETS = [
  ["(", ")"],
  ["<", ">"],
  ["&lt;", "&gt;"],
] as const;

/** Moves brackets from the tail that close one in the middle. */
function balanced(middle: string, tail: string): [string, string] {
  for (const [open, close] of BRACKETS) {
    const opened = middle.split(open).length - 1;
    if (opened <= middle.split(close).length - 1) continue;
    for (let i = Math.min(opened, tail.split(close).length - 1); i > 0; i--) {
      const end = tail.indexOf(close) + close.length;
      middle += tail.slice(0, end);
      tail = tail.slice(end);
    }
  }
  return [middle, tail];
}

function linked(word: string, trim: (text: string) => string, attributes: string, schemes: readonly string[]): string {
  if (HTTP.test(word)) {
    const address = /^https?:\/\//.test(word) ? word : `https://${word}`;
    return `<a href="${address}"${attributes}>${trim(word)}</a>`;
  }
  if (word.startsWith("mailto:") && EMAIL.test(word.slice(7))) return `<a href="${word}">${word.slice(7)}</a>`;
  if (/^(?!www\.|@)[^:]*@[^:]*$/.test(word) && EMAIL.test(word)) return `<a href="mailto:${word}">${word}</a>`;
  let link = word;
  for (const scheme of schemes)
    if (link !== scheme && link.startsWith(scheme)) link = `<a href="${link}"${attributes}>${link}</a>`;
  return link;
}

/** The filter xmlattr. */
export function attributes(value: Value, autospace: boolean): string {
  if (value instanceof Undefined) value.fail();
  if (!(value instanceof Dict)) throw new JinjaError("AttributeError", `'${typeName(value)}' object has no attribute 'items'`);
  let text = "";
  for (const [key, each] of value.items()) {
    if (each === null || each instanceof Undefined) continue;
    const name = textOf(key);
    if (name === undefined) throw typeError(`expected string or bytes-like object, got '${typeName(key)}'`);
    if (/[ \t\n\r\f\v/>=]/.test(name)) throw valueError(`Invalid character in attribute name: '${name}'`);
    text += `${text === "" && !autospace ? "" : " "}${escape(key).text}="${escape(each).text}"`;
    limits.text(text.length);
  }
  return text;
}
