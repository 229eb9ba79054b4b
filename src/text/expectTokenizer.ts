/** Whether an argument is a tokenizer. */
import { received } from "../base/received";
import type { Tokenizer } from "./tokenizer";

/**
 * Throws unless `value` is a tokenizer. A folder's name in its place gets the way out.
 *
 * @throws TypeError
 */
export function expectTokenizer(value: unknown, name = "tokenizer"): asserts value is Tokenizer {
  if (typeof (value as Partial<Tokenizer> | null | undefined)?.encode === "function") return;
  const way = typeof value === "string" ? `; load it: await loadTokenizer(${JSON.stringify(value)})` : "";
  throw new TypeError(`Expected a tokenizer for '${name}' but received ${received(value)}${way}`);
}
