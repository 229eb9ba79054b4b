/**
 * Which files an in-memory value was read from, so that a run that a program starts does not overwrite them. Copies of
 * the value, such as a filtered array, have no recorded origin.
 */
const origins = new WeakMap<object, Set<string>>();

export function recordOrigin(value: object, path: string): void {
  const paths = origins.get(value) ?? new Set();
  origins.set(value, paths.add(path));
}

export function originsOf(value: object): readonly string[] {
  return [...(origins.get(value) ?? [])];
}
