/** Options objects of this folder, checked without libtorch: data is read and tokenised where there is none. */

/** Throws unless all keys of `options` are in `allowed`. `name` is what takes them. */
export function expectOptions(name: string, options: object, allowed: readonly string[]): void {
  for (const key of Object.keys(options))
    if (!allowed.includes(key))
      throw new TypeError(`Expected options of '${name}' (${allowed.join(", ")}) but received '${key}'`);
}
