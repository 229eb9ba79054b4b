/**
 * Which files a value in memory was read from, so that a program's run does not overwrite them either. Copies of the
 * value, such as a filtered array, have no origin.
 */
const origins = new WeakMap<object, Set<string>>();

export function recordOrigin(value: object, path: string): void {
  const paths = origins.get(value) ?? new Set();
  origins.set(value, paths.add(path));
}

export function originsOf(value: object): readonly string[] {
  return [...(origins.get(value) ?? [])];
}
