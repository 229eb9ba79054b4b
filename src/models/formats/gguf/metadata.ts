/** Typed access to the metadata of a GGUF file that names the key when a value does not fit. */
import { FolderError } from "../../folderError";
import { type GgufHeader, type GgufValue, show } from "./header";

export class GgufMetadata {
  readonly file: string;
  private readonly asked = new Set<string>();

  constructor(private readonly header: Pick<GgufHeader, "file" | "metadata">) {
    this.file = header.file;
  }

  get(key: string): GgufValue | undefined {
    this.asked.add(key);
    return this.header.metadata.get(key);
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /** A positive integer. */
  size(key: string, fallback?: number): number {
    const fits = (value: unknown) => Number.isSafeInteger(value) && (value as number) > 0;
    return this.read(key, "a positive integer", fits, fallback);
  }

  /** A positive integer, or undefined. */
  optionalSize(key: string): number | undefined {
    return this.has(key) ? this.size(key) : undefined;
  }

  /** A token's number, or undefined. */
  tokenId(key: string): number | undefined {
    const fits = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
    return this.has(key) ? this.read(key, "a token id", fits) : undefined;
  }

  number(key: string, fallback?: number): number {
    return this.read(key, "a number", Number.isFinite, fallback);
  }

  string(key: string, fallback?: string): string {
    return this.read(key, "a string", (value) => typeof value === "string", fallback);
  }

  boolean(key: string, fallback: boolean): boolean {
    return this.read(key, "true or false", (value) => typeof value === "boolean", fallback);
  }

  strings(key: string): readonly string[] {
    const isString = (value: unknown) => typeof value === "string";
    return this.read(key, "strings", (value) => Array.isArray(value) && value.every(isString));
  }

  numbers(key: string): readonly number[] {
    const isNumber = (value: unknown) => typeof value === "number";
    return this.read(key, "numbers", (value) => Array.isArray(value) && value.every(isNumber));
  }

  /** The keys with this prefix that nobody has asked for. */
  unread(prefix: string): string[] {
    return [...this.header.metadata.keys()].filter((key) => key.startsWith(prefix) && !this.asked.has(key));
  }

  private read<T>(key: string, expected: string, fits: (value: unknown) => boolean, fallback?: T): T {
    const value = this.get(key) ?? fallback;
    if (fits(value)) return value as T;
    const shown = show(value as GgufValue | undefined);
    throw new FolderError(`Expected ${expected} for '${key}' in ${this.file} but received ${shown}`);
  }
}
