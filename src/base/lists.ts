/** Comparing lists of ids, bytes or characters. */

/** How many elements two lists have in common from the start: the index of the first difference, or the shorter length. */
export function commonPrefixLength<T>(a: ArrayLike<T>, b: ArrayLike<T>): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) if (a[i] !== b[i]) return i;
  return shorter;
}
