/** Typed access to values by key: the base of the readers of config.json and of GGUF's metadata. */

/** Typed access to values by key, with errors that name the key. */
export abstract class KeyReader {
  abstract has(key: string): boolean;

  /** A positive integer. */
  size(key: string, fallback?: number): number {
    return this.read(key, "a positive integer", (value) => Number.isSafeInteger(value) && (value as number) > 0, fallback);
  }

  /** A positive integer, or undefined. */
  optionalSize(key: string): number | undefined {
    return this.has(key) ? this.size(key) : undefined;
  }

  boolean(key: string, fallback: boolean): boolean {
    return this.read(key, "true or false", (value) => typeof value === "boolean", fallback);
  }

  string(key: string, fallback?: string): string {
    return this.read(key, "a string", (value) => typeof value === "string", fallback);
  }

  /** The value of a key, or the fallback where there is none; throws unless it fits, which `what` says in words. */
  protected abstract read<T>(key: string, what: string, fits: (value: unknown) => boolean, fallback?: T): T;
}
