/**
 * How far two texts are apart without a tokenizer: Levenshtein's distance over characters (UTF-16 units) and over words
 * (what white space separates), as a share of the longer text. What both begin and end with is put aside first, which
 * changes no distance and is most of the work where one number differs.
 */
import { distance } from "fastest-levenshtein";
import { normalisedDistance } from "./editDistance";

/** Each 0 for equal texts, 1 for texts that have nothing in common. White space counts for nothing among words. */
export interface TextDistances {
  readonly character: number;
  readonly word: number;
}

export function textDistances(a: string, b: string): TextDistances {
  const start = commonStart(a, b);
  const end = commonEnd(a, b, start);
  return { character: characterDistance(a, b, start, end), word: wordDistance(a, b, start, end) };
}

function characterDistance(a: string, b: string, start: number, end: number): number {
  const longer = Math.max(a.length, b.length);
  return longer === 0 ? 0 : distance(a.slice(start, a.length - end), b.slice(start, b.length - end)) / longer;
}

function wordDistance(a: string, b: string, start: number, end: number): number {
  // Back to the white space before and after the words in which they differ.
  while (start > 0 && !isSpace(a.charCodeAt(start - 1))) start--;
  while (end > 0 && !isSpace(a.charCodeAt(a.length - end))) end--;
  const left = words(a.slice(start, a.length - end));
  const right = words(b.slice(start, b.length - end));
  const longer = Math.max(left.length, right.length);
  const edits = left.length === 1 && longer === 1 ? Number(left[0] !== right[0]) : editsBetween(left, right);
  return edits === 0 ? 0 : edits / (countWords(a) - left.length + longer);
}

function editsBetween(left: readonly string[], right: readonly string[]): number {
  const numbers = new Map<string, number>();
  const numbered = (list: readonly string[]) =>
    list.map((word) => {
      const number = numbers.get(word) ?? numbers.size;
      numbers.set(word, number);
      return number;
    });
  return normalisedDistance(numbered(left), numbered(right)) * Math.max(left.length, right.length);
}

function commonStart(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  let start = 0;
  while (start < shorter && a.charCodeAt(start) === b.charCodeAt(start)) start++;
  return start;
}

/** How many characters are common at the end, after the `start` ones at the beginning. */
function commonEnd(a: string, b: string, start: number): number {
  const shorter = Math.min(a.length, b.length) - start;
  let end = 0;
  while (end < shorter && a.charCodeAt(a.length - 1 - end) === b.charCodeAt(b.length - 1 - end)) end++;
  return end;
}

const words = (text: string): string[] => text.match(/\S+/g) ?? [];

function countWords(text: string): number {
  let count = 0;
  let isInside = false;
  for (let i = 0; i < text.length; i++) {
    const space = isSpace(text.charCodeAt(i));
    if (!space && !isInside) count++;
    isInside = !space;
  }
  return count;
}

/** As `\s` has it. */
function isSpace(unit: number): boolean {
  if (unit > 32 && unit < 128) return false; // most are
  if (unit < 128) return unit === 32 || (unit >= 9 && unit <= 13);
  return unit === 0xa0 || unit === 0xfeff || (unit >= 0x1680 && /\s/.test(String.fromCharCode(unit)));
}
