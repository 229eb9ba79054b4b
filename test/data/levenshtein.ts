/** Levenshtein's distance by its definition, to compare with. */
export function levenshtein<T>(a: readonly T[], b: readonly T[]): number {
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
