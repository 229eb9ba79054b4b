/** Binds the arguments of filters, methods and functions to parameters as Python does. */
import { typeError } from "./errors";
import type { Keywords, Value } from "./values";

interface Parameter {
  readonly name: string;
  readonly isRequired: boolean;
}

/** A function's arguments in the order of its parameters; undefined for those left out. */
export interface Bound {
  bind(args: readonly Value[], keywords: Keywords | undefined): (Value | undefined)[];
}

/**
 * Parses parameters such as `value width=`: those with `=` may be left out. With a `/` at the end, none may be passed by
 * name.
 */
export function signature(name: string, text: string): Bound {
  const words = text.split(" ").filter((word) => word !== "");
  const isPositional = words.at(-1) === "/";
  const parameters: Parameter[] = (isPositional ? words.slice(0, -1) : words).map((word) => ({
    name: word.replace("=", ""),
    isRequired: !word.endsWith("="),
  }));
  const required = parameters.filter(({ isRequired }) => isRequired).length;
  return {
    bind(args, keywords) {
      if (args.length > parameters.length)
        throw typeError(
          `${name}() takes ${atMost(required, parameters.length)} but ${args.length} ${args.length === 1 ? "was" : "were"} given`,
        );
      if (keywords === undefined && args.length >= required) return args as Value[];
      const bound: (Value | undefined)[] = [...args];
      for (const [keyword, value] of keywords ?? []) bound[place(keyword, args.length)] = value;
      const missing = parameters.filter(({ isRequired }, i) => isRequired && bound[i] === undefined);
      if (missing.length > 0) throw typeError(`${name}() missing ${listed(missing)}`);
      return bound;
    },
  };

  /** The position of a keyword argument that comes after `given` others. */
  function place(keyword: string, given: number): number {
    const at = parameters.findIndex((parameter) => parameter.name === keyword);
    if (at < 0 || isPositional) throw typeError(`${name}() got an unexpected keyword argument '${keyword}'`);
    if (at < given) throw typeError(`${name}() got multiple values for argument '${keyword}'`);
    return at;
  }
}

function listed(missing: readonly Parameter[]): string {
  const names = missing.map((each) => `'${each.name}'`).join(" and ");
  return `${missing.length} required positional argument${missing.length === 1 ? "" : "s"}: ${names}`;
}

function atMost(required: number, most: number): string {
  const range = required === most ? String(most) : `from ${required} to ${most}`;
  return `${range} positional argument${most === 1 ? "" : "s"}`;
}

/** @throws TypeError when a function that takes no keyword arguments gets one */
export function noKeywords(name: string, keywords: Keywords | undefined): void {
  if (keywords !== undefined && keywords.size > 0) throw typeError(`${name}() takes no keyword arguments`);
}
