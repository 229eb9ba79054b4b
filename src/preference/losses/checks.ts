/** Checks the options of losses. */
import { received } from "../../base/received";
import { receivedInCode } from "../../base/received";
import type { NumberRange } from "./ranges";

export * from "./ranges";

type ErrorClass = new (message: string) => Error;

export function checkNumber(name: string, value: unknown, range: NumberRange, Failure: ErrorClass = RangeError): void {
  if (typeof value === "number" && Number.isFinite(value) && range.holds(value)) return;
  throw new Failure(`Expected ${range.says} for '${name}' but received ${receivedInCode(value)}`);
}

export function checkChoice(name: string, value: unknown, choices: readonly string[], Failure: ErrorClass = TypeError): void {
  if (typeof value === "string" && choices.includes(value)) return;
  const list = choices.map((choice) => JSON.stringify(choice)).join(", ");
  throw new Failure(`Expected one of ${list} for '${name}' but received ${receivedInCode(value)}`);
}

/**
 * Throws unless `loss` is a synchronous function, as opposed to a loss's name or an async function.
 *
 * @throws TypeError
 */
export function expectLossFunction(loss: unknown, name: string): void {
  if (typeof loss === "function" && loss.constructor.name !== "AsyncFunction") return;
  const way =
    typeof loss === "string"
      ? `; create it with createLoss({ lossType: ${JSON.stringify(loss)} })`
      : typeof loss === "function"
        ? `, which is async; ${NOT_ASYNC}`
        : typeof loss === "object" && loss !== null && "lossType" in loss
          ? "; pass it to createLoss(…)"
          : "";
  throw new TypeError(`Expected a loss, such as dpop(), for '${name}' but received ${received(loss)}${way}`);
}

/** Why a loss must not be async. */
export const NOT_ASYNC = "a training step cannot wait, so compute what the loss awaits beforehand";
