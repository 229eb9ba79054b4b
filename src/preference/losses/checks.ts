/** Checks of the options of losses. */
import { describeValue } from "../../torch/operators";
import type { NumberRange } from "./ranges";

export * from "./ranges";

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
