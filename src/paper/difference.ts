/**
 * How two answers differ, in tokens or in any other units: where they part, and how much of them was edited. The paper
 * looks at the tokens before, at and after the first difference, and sorts its data sets by normalised edit distance.
 */

export { firstDifference } from "../data/editDistance";

/** Levenshtein distance: the fewest insertions, deletions and replacements that turn one list into the other. */
export function editDistance<T>(a: readonly T[], b: readonly T[]): number {
  // row[j] is the distance between the elements of a seen so far and the first j of b.
  const row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    let diagonal = row[0]!;
    row[0] = i;
    for (let j = 1; j <= b.length; j++) {
      const replaced = diagonal + (a[i - 1] === b[j - 1] ? 0 : 1);
      diagonal = row[j]!;
      row[j] = Math.min(replaced, row[j - 1]! + 1, diagonal + 1);
    }
  }
  return row[b.length]!;
}

/** Edit distance over the length of the longer list, from 0 (equal) to 1; 0 for two empty lists. */
export function normalisedEditDistance<T>(a: readonly T[], b: readonly T[]): number {
  return editDistance(a, b) / Math.max(a.length, b.length, 1);
}
