/** What defines the methods of a type, and reads their arguments. */
import { typeError } from "./errors";
import type { FieldAccess } from "./format";
import { signature } from "./signature";
import { index, type Keywords, textOf, typeName, type Value } from "./values";

export type Given = Value | undefined;
export type Method<Self> = (self: Self, ...args: Given[]) => Value;
export type Raw<Self> = (self: Self, args: Value[], keywords: Keywords | undefined, access: FieldAccess) => Value;
export type Methods<Self> = ReadonlyMap<string, Raw<Self>>;

/** A method with named parameters, see {@link signature}. */
function method<Self>(parameters: string, name: string, work: Method<Self>): Raw<Self> {
  const bound = signature(name, parameters);
  return (self, args, keywords) => work(self, ...bound.bind(args, keywords));
}

/** Methods by name, each with its parameters. */
export function table<Self>(methods: Record<string, [parameters: string, work: Method<Self>]>): [string, Raw<Self>][] {
  return Object.entries(methods).map(([name, [parameters, work]]) => [name, method(parameters, name, work)]);
}

/** An argument that must be a string. */
export function text(value: Given, what = "argument"): string {
  const found = value === undefined ? undefined : textOf(value);
  if (found === undefined) throw typeError(`${what} must be str, not ${typeName(value === undefined ? null : value)}`);
  return found;
}

/** An argument that may be None or left out. */
export function optionalInt(value: Given): number | undefined {
  return value === undefined || value === null ? undefined : clamped(value);
}

/** An integer, as a number that is exact or out of all ranges. */
export function clamped(value: Value): number {
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Number(index(value))));
}
