/** Python's `textwrap.wrap`, with the settings of the wordwrap filter. */
import { unsupported, valueError } from "./errors";
import { limits } from "./limits";
import { WORD_CLASS as WORD, strip } from "./strings";
import { isWide } from "./values";

const SPACE = "\\t\\n\\v\\f\\r ";
const LETTER = "[\\p{L}\\p{Nl}\\p{No}_]";
const BEFORE_DASH = `(?<=[${WORD}!"'&.,?])`;
/** Where a line may be broken: white space, dashes between words, hyphens in compound words. */
const PARTS = new RegExp(
  `([${SPACE}]+|${BEFORE_DASH}-{2,}(?=[${WORD}])|[^${SPACE}]+?(?:-(?:(?<=${LETTER}{2}-)|(?<=${LETTER}-${LETTER}-))(?=${LETTER}-?${LETTER})` +
    `|(?=[${SPACE}]|$)|${BEFORE_DASH}(?=-{2,}[${WORD}])))`,
  "u",
);
const WORDS = new RegExp(`([${SPACE}]+)`, "u");

export interface WrapOptions {
  readonly width: number;
  readonly breaksWords: boolean;
  readonly breaksHyphens: boolean;
}

/** The lines of a text without line breaks. */
export function wrap(text: string, { width, breaksWords, breaksHyphens }: WrapOptions): string[] {
  if (/-{1000}/.test(text)) throw unsupported("a run of a thousand hyphens in wordwrap");
  limits.copiedText(text.length);
  const chunks = text.split(breaksHyphens ? PARTS : WORDS).filter((chunk) => chunk !== "");
  limits.copiedList(chunks.length);
  if (width <= 0) throw valueError(`invalid width ${width} (must be > 0)`);
  const lengthOf = isWide(text) ? (chunk: string) => Array.from(chunk).length : (chunk: string) => chunk.length;
  const lines: string[] = [];
  chunks.reverse();
  while (chunks.length > 0) {
    limits.step();
    const line: string[] = [];
    let length = 0;
    if (lines.length > 0 && isBlank(chunks.at(-1)!)) chunks.pop();
    while (chunks.length > 0 && length + lengthOf(chunks.at(-1)!) <= width) {
      length += lengthOf(chunks.at(-1)!);
      line.push(chunks.pop()!);
    }
    if (chunks.length > 0 && lengthOf(chunks.at(-1)!) > width) {
      if (breaksWords) {
        const room = width - length;
        const chunk = Array.from(chunks.at(-1)!);
        let end = room;
        if (breaksHyphens && chunk.length > room) {
          const hyphen = room > 0 ? chunk.lastIndexOf("-", room - 1) : -1;
          if (hyphen > 0 && chunk.slice(0, hyphen).some((each) => each !== "-")) end = hyphen + 1;
        }
        limits.step(chunk.length / 64);
        line.push(chunk.slice(0, end).join(""));
        chunks[chunks.length - 1] = chunk.slice(end).join("");
      } else if (line.length === 0) line.push(chunks.pop()!);
    }
    if (line.length > 0 && isBlank(line.at(-1)!)) line.pop();
    if (line.length > 0) lines.push(line.join(""));
    limits.list(lines.length);
  }
  return lines;
}

function isBlank(chunk: string): boolean {
  return strip(chunk, "strip") === "";
}
