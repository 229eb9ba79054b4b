/** What the options of losses may be. */
import { received } from "../../base/received";
import { describeValue } from "../../torch/operators";

export interface NumberRange {
  holds(value: number): boolean;
  /** As in `Expected <says> for 'beta'`. */
  says: string;
}

export const positive: NumberRange = { says: "a positive number", holds: (value) => value > 0 };
export const nonNegative: NumberRange = { says: "a number from 0", holds: (value) => value >= 0 };
export const anyNumber: NumberRange = { says: "a finite number", holds: () => true };
export const upToOne: NumberRange = { says: "a number above 0 and at most 1", holds: (value) => value > 0 && value <= 1 };
export const fromZeroToOne: NumberRange = { says: "a number from 0 to 1", holds: (value) => value >= 0 && value <= 1 };
/** A share of flipped labels: at one half a label says nothing. */
export const flippedShare: NumberRange = { says: "a number from 0 to below 0.5", holds: (value) => value >= 0 && value < 0.5 };
/** As `flippedShare`, where a share of 0 would make the loss infinite. */
export const positiveShare: NumberRange = {
  says: "a number above 0 and below 0.5 (1e-3 is usual)",
  holds: (value) => value > 0 && value < 0.5,
};

type ErrorClass = new (message: string) => Error;

export function checkNumber(name: string, value: unknown, range: NumberRange, Failure: ErrorClass = RangeError): void {
  if (typeof value === "number" && Number.isFinite(value) && range.holds(value)) return;
  throw new Failure(`Expected ${range.says} for '${name}' but received ${describeValue(value)}`);
}

export function checkChoice(name: string, value: unknown, choices: readonly string[], Failure: ErrorClass = TypeError): void {
  if (typeof value === "string" && choices.includes(value)) return;
  const list = choices.map((choice) => JSON.stringify(choice)).join(", ");
  throw new Failure(`Expected one of ${list} for '${name}' but received ${describeValue(value)}`);
}

/**
 * Throws unless `loss` is a function that could be a loss: not a loss's name, and not an async function.
 *
 * @throws TypeError
 */
export function expectLossFunction(loss: unknown, name: string): void {
  if (typeof loss === "function" && loss.constructor.name !== "AsyncFunction") return;
  const way =
    typeof loss === "string"
      ? `; make it: createLoss({ lossType: ${JSON.stringify(loss)} })`
      : typeof loss === "function"
        ? `, which is async; ${NOT_ASYNC}`
        : typeof loss === "object" && loss !== null && "lossType" in loss
          ? "; put it into createLoss(…)"
          : "";
  throw new TypeError(`Expected a loss, such as dpop(), for '${name}' but received ${received(loss)}${way}`);
}

/** Why a loss cannot be. */
export const NOT_ASYNC = "a step of training cannot wait in its middle, so compute beforehand what the loss awaits";
