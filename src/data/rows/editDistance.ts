/** Where two answers part, and how far they are apart: Levenshtein's distance over tokens, as a share of the longer one. */
import { distance } from "fastest-levenshtein";

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

/** Index of the first element in which two lists differ; the length of the shorter when one begins the other. */
export function firstDifference<T>(a: ArrayLike<T>, b: ArrayLike<T>): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) if (a[i] !== b[i]) return i;
  return shorter;
}
