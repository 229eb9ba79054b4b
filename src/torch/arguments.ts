/** From a JavaScript value to what the addon gets for an argument: slots, codes and plain values. */
import type { ArgumentDescription } from "../native/interface";
import { dtypeCode, isDType } from "./dtype";
import { GeneratorHandle, Handle } from "./scope";

/** A number for an op. Whole numbers are integers to libtorch, all others doubles. */
export type Scalar = number | bigint | boolean | { real: number; imag: number };

const layouts = {
  strided: 0,
  sparse_coo: 1,
  sparse_csr: 2,
  mkldnn: 3,
  sparse_csc: 4,
  sparse_bsr: 5,
  sparse_bsc: 6,
  jagged: 8,
} as const;
const memoryFormats = { contiguous_format: 0, preserve_format: 1, channels_last: 2, channels_last_3d: 3 } as const;
const reductions = { none: 0, mean: 1, sum: 2 } as const;

/** What a loss does with its elements; ATen has codes for it. */
export type Reduction = keyof typeof reductions;
export type Layout = keyof typeof layouts;
export type MemoryFormat = keyof typeof memoryFormats;

/** What a converter returns for a value that an argument cannot be. */
export const REFUSED = Symbol("refused");

/** Converts a value, or returns `REFUSED`. */
export type Converter = (value: unknown) => unknown;

type Kind = ArgumentDescription["kind"];

/** Makes the converter of an argument, which is not `required` when it may be left out. An error calls the argument `use`. */
export function converterOf(argument: ArgumentDescription, required: boolean, use: string): Converter {
  const element = elementConverter(argument, use);
  const converter = argument.list ? listConverter(argument, element) : element;
  const { optional } = argument;
  return (value) => {
    if (value === undefined && !required) return undefined;
    return value === null && optional ? null : converter(value);
  };
}

function elementConverter({ kind, name }: ArgumentDescription, use: string): Converter {
  if (kind === "Tensor" || kind === "Storage") return (value) => (value instanceof Handle ? value.live(use) : REFUSED);
  if (kind === "int" && name === "reduction") return (value) => (typeof value === "string" ? toReduction(value) : toInt(value));
  return converters[kind];
}

function listConverter({ kind, size, optionalElement }: ArgumentDescription, element: Converter): Converter {
  return (value) => {
    if (!Array.isArray(value)) {
      if (size === 0 && kind !== "int") return REFUSED;
      const converted = element(value);
      // A single number: a list of one, or what the addon repeats for int[2].
      return size > 0 || converted === REFUSED ? converted : [converted];
    }
    const all = new Array<unknown>(value.length);
    for (let i = 0; i < value.length; i++) {
      const each: unknown = value[i];
      all[i] = each === null && optionalElement ? null : element(each);
      if (all[i] === REFUSED) return REFUSED;
    }
    return all;
  };
}

const toInt: Converter = (value) => (Number.isSafeInteger(value) || isInt64(value) ? value : REFUSED);
const toText: Converter = (value) => (typeof value === "string" ? value : REFUSED);
const toReduction = toCode(reductions);

const converters: Record<Exclude<Kind, "Tensor" | "Storage">, Converter> = {
  Scalar: (value) => (isNumber(value) || isComplexNumber(value) ? value : REFUSED),
  int: toInt,
  float: (value) => (typeof value === "number" ? value : REFUSED),
  bool: (value) => (typeof value === "boolean" ? value : REFUSED),
  str: toText,
  Device: toText,
  Stream: toText,
  dtype: (value) => (isDType(value) ? dtypeCode(value) : REFUSED),
  layout: toCode(layouts),
  MemoryFormat: toCode(memoryFormats),
  Generator: (value) => (value instanceof GeneratorHandle ? value.live() : REFUSED),
  other: () => REFUSED,
};

function toCode(codes: Readonly<Record<string, number>>): Converter {
  return (value) => (typeof value === "string" && Object.hasOwn(codes, value) ? codes[value] : REFUSED);
}

function isNumber(value: unknown): boolean {
  return typeof value === "number" || typeof value === "boolean" || typeof value === "bigint";
}

export function isComplexNumber(value: unknown): boolean {
  return typeof value === "object" && value !== null && !(value instanceof Handle) && "real" in value && "imag" in value;
}

function isInt64(value: unknown): boolean {
  return typeof value === "bigint" && BigInt.asIntN(64, value) === value;
}

/** What an error calls the values that an argument takes. */
export function nameOfKind({ kind, list }: ArgumentDescription): string {
  return list ? `an array (${kindNames[kind]} each)` : kindNames[kind];
}

const kindNames: Record<Kind, string> = {
  Tensor: "a Tensor",
  Scalar: "a number",
  int: "an integer",
  float: "a number",
  bool: "a boolean",
  str: "a string",
  dtype: "a dtype",
  layout: "a layout",
  Device: "a device",
  MemoryFormat: "a memory format",
  Generator: "a Generator",
  Storage: "a Tensor",
  Stream: "a device",
  other: "a value JavaScript cannot make",
};
