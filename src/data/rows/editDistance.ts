/**
 * How far two answers are apart: Levenshtein's distance over tokens, or without a tokenizer over characters (UTF-16
 * units) and words (what white space separates), as a share of the longer one. Texts are compared without their common
 * beginning and end, which changes no distance and is most of the work where one number differs.
 */
import { distance } from "fastest-levenshtein";
import { commonPrefixLength } from "../../base/lists";

export { commonPrefixLength as firstDifference };

/** 0 for equal lists, 1 for lists that have nothing in common. */
export function normalisedDistance<T>(a: ArrayLike<T>, b: ArrayLike<T>): number {
  const longer = Math.max(a.length, b.length);
  if (longer === 0) return 0;
  // The library compares UTF-16 units: each element of the two lists becomes one, in the order of appearance.
  const units = new Map<T, number>();
  const written = (ids: ArrayLike<T>) => {
    let text = "";
    for (let i = 0; i < ids.length; i++) {
      let unit = units.get(ids[i]!);
      if (unit === undefined) units.set(ids[i]!, (unit = units.size));
      text += String.fromCharCode(unit);
    }
    return text;
  };
  const [left, right] = [written(a), written(b)];
  if (units.size > 0xffff) throw new RangeError(`Expected at most 65535 different ids but received ${units.size}`);
  return distance(left, right) / longer;
}

/** Each 0 for equal texts, 1 for texts that have nothing in common. White space counts for nothing among words. */
export interface TextDistances {
  readonly character: number;
  readonly word: number;
}

export function textDistances(a: string, b: string): TextDistances {
  const [left, right] = [memories[0].unitsOf(a), memories[1].unitsOf(b)];
  const start = commonPrefixLength(left, right);
  const end = commonEnd(left, right, start);
  return { character: characterDistance(a, b, start, end), word: wordDistance(a, b, start, end, left) };
}

/** To walk through a string takes several times as long as to copy it into an array and walk through that. */
class UnitMemory {
  private units = new Uint16Array(1 << 12);
  private bytes = Buffer.from(this.units.buffer);

  /** The UTF-16 units of a text, until the next is asked for. */
  unitsOf(text: string): Uint16Array {
    if (text.length > this.units.length) {
      this.units = new Uint16Array(2 * text.length);
      this.bytes = Buffer.from(this.units.buffer);
    }
    this.bytes.write(text, "utf16le");
    return this.units.subarray(0, text.length);
  }
}

const memories = [new UnitMemory(), new UnitMemory()] as const;

function characterDistance(a: string, b: string, start: number, end: number): number {
  const longer = Math.max(a.length, b.length);
  return longer === 0 ? 0 : distance(a.slice(start, a.length - end), b.slice(start, b.length - end)) / longer;
}

function wordDistance(a: string, b: string, start: number, end: number, units: Uint16Array): number {
  // Back to the white space before and after the words in which they differ.
  while (start > 0 && !isSpace(units[start - 1]!)) start--;
  while (end > 0 && !isSpace(units[a.length - end]!)) end--;
  const left = words(a.slice(start, a.length - end));
  const right = words(b.slice(start, b.length - end));
  const longer = Math.max(left.length, right.length);
  const edits = left.length === 1 && longer === 1 ? Number(left[0] !== right[0]) : editsBetween(left, right);
  return edits === 0 ? 0 : edits / (countWords(units) - left.length + longer);
}

function editsBetween(left: readonly string[], right: readonly string[]): number {
  const numberOf = wordNumbers();
  return normalisedDistance(left.map(numberOf), right.map(numberOf)) * Math.max(left.length, right.length);
}

/** Numbers words from 0 on, for {@link normalisedDistance}: the same word has the same number. */
export function wordNumbers(): (word: string) => number {
  const numbers = new Map<string, number>();
  return (word) => {
    const number = numbers.get(word) ?? numbers.size;
    numbers.set(word, number);
    return number;
  };
}

/** How many characters are common at the end, after the `start` ones at the beginning. */
function commonEnd(a: Uint16Array, b: Uint16Array, start: number): number {
  const shorter = Math.min(a.length, b.length) - start;
  let end = 0;
  while (end < shorter && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  return end;
}

const words = (text: string): string[] => text.match(/\S+/g) ?? [];

/** Of each UTF-16 unit, whether `\s` has it. */
const SPACES = Uint8Array.from({ length: 1 << 16 }, (_, unit) => Number(/\s/.test(String.fromCharCode(unit))));

const isSpace = (unit: number): boolean => SPACES[unit] === 1;

/** Without a branch: where words end cannot be foretold. */
function countWords(units: Uint16Array): number {
  let count = 0;
  let before = 1;
  for (let i = 0; i < units.length; i++) {
    const space = SPACES[units[i]!]!;
    count += before & (space ^ 1);
    before = space;
  }
  return count;
}
