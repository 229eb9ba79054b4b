/** The filter `regex_replace` of lm-evaluation-harness: Python's `re.sub` in a template. */
import { checkPatternSize, compilePattern, Pattern } from "../../base/patterns";
import { type FilterFunction, JinjaError, limits, signature, textOf } from "../../jinja";
import { pythonPattern } from "./pattern";

const bound = signature("regex_replace", "string pattern repl count=");
const PLACE = "'regex_replace'";

export const regexReplace: FilterFunction = (_, args, keywords) => {
  const [value, pattern, by, count = 0] = bound.bind(args, keywords);
  const [text, source, template] = [value, pattern, by].map((each) => {
    const found = textOf(each);
    if (found === undefined) throw new JinjaError("TypeError", "expected string or bytes-like object");
    return found;
  }) as [string, string, string];
  if (typeof count !== "number") throw new JinjaError("TypeError", "count of regex_replace must be an integer");
  checkPatternSize(source, PLACE);
  const translated = pythonPattern(
    source,
    (part) => new JinjaError("Unsupported", `'${part}' in the pattern of regex_replace is not supported`),
  );
  const regex = compilePattern(translated, "gv", PLACE);
  filled(template, new RegExp(`(?:${translated})|`, "v").exec("")!); // its faults show without a match, too
  const matches = new Pattern(regex, PLACE).matchAll(text);
  const used = count === 0 ? matches : matches.slice(0, Math.max(0, count));
  let result = "";
  let at = 0;
  for (const match of used) {
    const part = text.slice(at, match.index) + filled(template, match);
    limits.step();
    limits.copiedText(part.length);
    limits.text(result.length + part.length);
    result += part;
    at = match.index + match[0].length;
  }
  return result + text.slice(at);
};

/** A replacement with its `\1` and `\g<name>` filled in, and its other escapes. */
function filled(template: string, match: RegExpExecArray): string {
  const parts = /\\(?:g<([^>]*)>|(0[0-7]{0,2}|[1-3][0-7]{2})|([1-9]\d?)|([\s\S]?))/g;
  return template.replace(parts, (whole, name?: string, octal?: string, digits?: string, letter?: string) => {
    if (octal !== undefined) return String.fromCharCode(parseInt(octal, 8));
    const key = name ?? digits;
    return key === undefined ? escapeOf(whole, letter!) : groupOf(key, match);
  });
}

function escapeOf(whole: string, letter: string): string {
  const escape = ESCAPES.get(letter);
  if (escape !== undefined) return escape;
  if (letter === "" || /[a-zA-Z]/.test(letter))
    throw new JinjaError("ValueError", `bad escape ${whole} in the replacement of regex_replace`);
  return whole;
}

/** What a group matched; nothing for one that did not take part. */
function groupOf(key: string, match: RegExpExecArray): string {
  const isNumber = /^\d+$/.test(key);
  if (isNumber ? Number(key) >= match.length : !Object.hasOwn(match.groups ?? {}, key))
    throw new JinjaError("ValueError", `invalid group reference ${key} in the replacement of regex_replace`);
  return (isNumber ? match[Number(key)] : match.groups![key]) ?? "";
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["a", "\x07"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["v", "\v"],
  ["\\", "\\"],
]);
