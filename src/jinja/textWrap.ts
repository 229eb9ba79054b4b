/** Python's `textwrap.wrap`, with the settings of the wordwrap filter. */
import { unsupported, valueError } from "./errors";
import { limits } from "./limits";
import { strip, WORD_CLASS as WORD } from "./strings";
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
  const breaks = breaksWords ? (chunk: readonly string[], room: number) => breakOf(chunk, room, breaksHyphens) : undefined;
  chunks.reverse(); // the next one is at the end
  while (chunks.length > 0) {
    limits.step();
    if (lines.length > 0 && isBlank(chunks.at(-1)!)) chunks.pop();
    const line = takeLine(chunks, width, lengthOf, breaks);
    if (line.length > 0 && isBlank(line.at(-1)!)) line.pop();
    if (line.length > 0) lines.push(line.join(""));
    limits.list(lines.length);
  }
  return lines;
}

/** Takes the chunks of one line off the end of `chunks`. */
function takeLine(
  chunks: string[],
  width: number,
  lengthOf: (chunk: string) => number,
  breaks: ((chunk: readonly string[], room: number) => number) | undefined,
): string[] {
  const line: string[] = [];
  let length = 0;
  for (let next = chunks.at(-1); next !== undefined && length + lengthOf(next) <= width; next = chunks.at(-1)) {
    length += lengthOf(next);
    line.push(chunks.pop()!);
  }
  const long = chunks.at(-1);
  if (long === undefined || lengthOf(long) <= width) return line;
  if (breaks) {
    const chunk = Array.from(long);
    const end = breaks(chunk, width - length);
    limits.step(chunk.length / 64);
    line.push(chunk.slice(0, end).join(""));
    chunks[chunks.length - 1] = chunk.slice(end).join("");
  } else if (line.length === 0) line.push(chunks.pop()!);
  return line;
}

/** Where to break a chunk that is longer than a line: after the room that is left, or after a hyphen within it. */
function breakOf(chunk: readonly string[], room: number, breaksHyphens: boolean): number {
  if (!breaksHyphens || chunk.length <= room || room <= 0) return room;
  const hyphen = chunk.lastIndexOf("-", room - 1);
  return hyphen > 0 && chunk.slice(0, hyphen).some((each) => each !== "-") ? hyphen + 1 : room;
}

function isBlank(chunk: string): boolean {
  return strip(chunk, "strip") === "";
}
