/** Checks that an argument is a language model. */
import { received } from "../base/received";
import { CausalLM } from "./causalLm";

/**
 * Throws unless `value` is a model. If it is a folder's name, the message says how to load it.
 *
 * @throws TypeError
 */
export function expectModel(value: unknown, name = "model"): asserts value is CausalLM {
  if (value instanceof CausalLM) return;
  const way = typeof value === "string" ? `; load it with await loadModel(${JSON.stringify(value)})` : "";
  throw new TypeError(`Expected a model for '${name}' but received ${received(value)}${way}`);
}
