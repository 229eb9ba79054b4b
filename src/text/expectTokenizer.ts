/** Checks that an argument is a tokenizer. */
import { received } from "../base/received";
import type { Tokenizer } from "./tokenizer";

/**
 * Throws unless `value` is a tokenizer. If it is a folder's name, the message says how to load it.
 *
 * @throws TypeError
 */
export function expectTokenizer(value: unknown, name = "tokenizer"): asserts value is Tokenizer {
  if (typeof (value as Partial<Tokenizer> | null | undefined)?.encode === "function") return;
  const way = typeof value === "string" ? `; load it with await loadTokenizer(${JSON.stringify(value)})` : "";
  throw new TypeError(`Expected a tokenizer for '${name}' but received ${received(value)}${way}`);
}
