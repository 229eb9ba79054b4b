/** What defines a filter, and what several filters do with their arguments. */
import type { Environment, FilterFunction } from "./environment";
import { JinjaError } from "./errors";
import { limits } from "./limits";
import type { Given } from "./method";
import { methodOf } from "./methods";
import { parseInt_ } from "./numbers";
import { softStr } from "./print";
import { signature } from "./signature";
import { Dict, Markup, Tuple, textOf, typeName, Undefined, type Value } from "./values";

export type Work = (environment: Environment, value: Value, ...args: Given[]) => Value;

/** A filter whose first parameter is the value, see {@link signature}. */
export function filter(name: string, parameters: string, work: Work): FilterFunction {
  const bound = signature(name, parameters);
  return (environment, args, keywords) => {
    const [value, ...rest] = bound.bind(args, keywords);
    return work(environment, value!, ...rest);
  };
}

/** The error of an argument that a filter cannot use. */
export function argumentError(message: string): JinjaError {
  return new JinjaError("FilterArgumentError", message);
}

/** Applies a string method to a value converted to a string. */
export function onText(method: string): (environment: Environment, value: Value, ...args: Given[]) => Value {
  return (environment, value, ...args) => {
    const text = softStr(value);
    const work = methodOf(environment, text, method) as { call(args: Value[], keywords: undefined): Value };
    return work.call(
      args.filter((arg): arg is Value => arg !== undefined),
      undefined,
    );
  };
}

/** A function that reads an attribute such as `address.city` or `items.0`. */
export function attributeGetter(
  environment: Environment,
  attribute: Value,
  options: { isLowered?: boolean; fallback?: Given } = {},
): (value: Value) => Value {
  const { isLowered = false, fallback } = options;
  const parts = attributeParts(attribute);
  const hasFallback = fallback !== undefined && fallback !== null;
  return (value) => {
    let found = value;
    for (const part of parts) {
      found = environment.item(found, part);
      if (hasFallback && found instanceof Undefined) found = fallback;
    }
    return isLowered ? lowered(found) : found;
  };
}

function attributeParts(attribute: Value): Value[] {
  if (attribute === null) return [];
  const text = textOf(attribute);
  if (text === undefined) return [attribute];
  return text.split(".").map((part) => (/^\p{Nd}+$/u.test(part) ? parseInt_(part, 10, part) : part));
}

/** Reads several attributes, as in `age,name`, for sorting. */
export function attributesGetter(environment: Environment, attribute: Value, isLowered: boolean): (value: Value) => Value[] {
  const text = textOf(attribute);
  const getters = (text === undefined ? [attribute] : text.split(",")).map((each) =>
    attributeGetter(environment, each, { isLowered }),
  );
  return (value) => getters.map((get) => get(value));
}

/** Text in lower case; other values as they are. */
export function lowered(value: Value): Value {
  if (typeof value === "string") return value.toLowerCase();
  return value instanceof Markup ? new Markup(value.text.toLowerCase()) : value;
}

/** The items of a dict or of pairs. */
export function pairsOf(value: Value): Tuple[] {
  if (value instanceof Undefined) value.fail();
  if (!(value instanceof Dict)) throw new JinjaError("AttributeError", `'${typeName(value)}' object has no attribute 'items'`);
  limits.copiedList(value.size);
  return [...value.items()].map((entry) => new Tuple([...entry]));
}
