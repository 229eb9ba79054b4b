/** Functions handed to us that must not return a promise: what we set up for them ends when they return. */

/** Calls `fn`; throws when it returns a promise. `why` says what would go wrong and what to do instead. */
export function synchronously<T>(name: string, fn: () => T, why: string): T {
  const result = fn();
  if (typeof (result as { then?: unknown } | null | undefined)?.then !== "function") return result;
  if (result instanceof Promise) result.catch(() => {}); // the error is ours, not the promise's own
  throw new TypeError(`Expected a synchronous function for '${name}' but received one that returns a promise: ${why}`);
}
