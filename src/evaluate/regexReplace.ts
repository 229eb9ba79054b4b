/** The filter `regex_replace` of lm-evaluation-harness: Python's `re.sub` in a template. */
import { Pattern, compilePattern } from "../base/patterns";
import { type FilterFunction, JinjaError, signature, textOf } from "../jinja";

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
  const matches = new Pattern(compilePattern(pythonPattern(source), "gu", PLACE), PLACE).matchAll(text);
  const used = count > 0 ? matches.slice(0, count) : matches;
  let result = "";
  let at = 0;
  for (const match of used) {
    result += text.slice(at, match.index) + filled(template, match);
    at = match.index + match[0].length;
  }
  return result + text.slice(at);
};

/** Converts Python's syntax for named groups and the ends of the text to JavaScript's. */
function pythonPattern(source: string): string {
  const unsupported = /\(\?[aiLmsux-]+[:)]|\(\?P[=>]|\(\?\(|\(\?#|[*+?}]\+|\\[pP]/.exec(source);
  if (unsupported) throw new JinjaError("Unsupported", `'${unsupported[0]}' in the pattern of regex_replace is not supported`);
  return source.replace(/\\[\s\S]|\(\?P</g, (part) => {
    if (part === "(?P<") return "(?<";
    if (part === "\\A") return "(?<![\\s\\S])";
    if (part === "\\Z") return "(?![\\s\\S])";
    return /^\\[a-zA-Z0-9^$\\.*+?()[\]{}|/-]$/.test(part) ? part : part.slice(1);
  });
}

/** Fills in `\1` and `\g<name>` in a replacement. */
function filled(template: string, match: RegExpExecArray): string {
  return template.replace(/\\(?:g<([^>]*)>|(\d{1,2})|([\s\S]))/g, (whole, name: string | undefined, digits: string | undefined, letter: string) => {
    const key = name ?? digits;
    if (key === undefined) {
      const escaped = { n: "\n", t: "\t", r: "\r", "\\": "\\" }[letter];
      if (escaped !== undefined) return escaped;
      if (/[a-zA-Z]/.test(letter)) throw new JinjaError("ValueError", `bad escape ${whole} in the replacement of regex_replace`);
      return whole;
    }
    const isNumber = /^\d+$/.test(key);
    if (isNumber ? Number(key) >= match.length : !Object.hasOwn(match.groups ?? {}, key))
      throw new JinjaError("ValueError", `invalid group reference ${key} in the replacement of regex_replace`);
    return (isNumber ? match[Number(key)] : match.groups![key]) ?? "";
  });
}
