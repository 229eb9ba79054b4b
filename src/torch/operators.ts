/**
 * Calling libtorch's operators. An operator name has overloads (`add.Tensor`, `add.Scalar`); a call takes the first
 * whose schema accepts the arguments, tensors before scalars, as PyTorch does. Arguments are checked and converted
 * here, once; the addon gets slots, codes and plain values.
 *
 * Positional arguments follow the schema's order; keyword-only ones come in one trailing options object, where every
 * other argument may also be named. Options are in camelCase: `rounding_mode` is `roundingMode`.
 */
import { type ArgumentDescription, type OperatorDescription, binding } from "../native/binding";
import { type DType, dtypeCode, dtypeOfCode, isDType } from "./dtype";
import { Generator } from "./generator";
import { Tensor } from "./tensor";

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

interface Overload {
  id: number;
  /** `aten::add.Tensor` */
  name: string;
  schema: string;
  arguments: Parameter[];
  /** How many arguments may be given by position. */
  positional: number;
  byName: Map<string, number>;
  /** Exactly one return, a new tensor: the common case. */
  returnsTensor: boolean;
  /** Takes the tensors to write its results to by name, as `out=`. */
  writesOut: boolean;
  returns: OperatorDescription["returns"];
}

interface Parameter extends ArgumentDescription {
  /** Its name in camelCase. */
  key: string;
  required: boolean;
}

export interface Operator {
  /** As the user calls it: `add`. */
  name: string;
  qualifiedNames: string[];
  /** Described at the first call. */
  overloads?: Overload[];
  /** The ids of the overloads that one tensor, or two, select and that return a new one; -1 when none does. */
  unary?: number;
  binary?: number;
}

/** PyTorch's snake_case in camelCase; a leading underscore and the trailing one of in-place ops stay. */
export function camelCase(name: string): string {
  return name.replace(/_+([a-z0-9])/gi, (match, letter: string, at: number) => (at === 0 ? match : letter.toUpperCase()));
}

// What does not fit is described only once all overloads have refused: a refusal must cost nothing.
const REFUSED = Symbol("refused");

type Refusal = { parameter: Parameter; value: unknown } | { unknownOption: string } | { tooMany: number };
let refusal: Refusal;

function convert(overload: Overload, parameter: Parameter, value: unknown): unknown {
  if (value instanceof Tensor && parameter.kind === "Tensor" && !parameter.list && value.slot !== -1) return value.slot;
  if (value === undefined && !parameter.required) return undefined;
  if (value === null && parameter.optional) return null;
  if (!parameter.list) return convertElement(overload, parameter, value);
  if (Array.isArray(value)) {
    const converted = new Array<unknown>(value.length);
    for (let i = 0; i < value.length; i++) {
      const element: unknown = value[i];
      converted[i] = element === null && parameter.optionalElement ? null : convertElement(overload, parameter, element);
      if (converted[i] === REFUSED) return REFUSED;
    }
    return converted;
  }
  if (parameter.size === 0 && parameter.kind !== "int") return REFUSED;
  const element = convertElement(overload, parameter, value);
  // A single number: a list of one, or what the addon repeats for int[2].
  return parameter.size > 0 || element === REFUSED ? element : [element];
}

function convertElement(overload: Overload, parameter: Parameter, value: unknown): unknown {
  switch (parameter.kind) {
    case "Tensor":
    case "Storage":
      return value instanceof Tensor ? value.live(`${overload.name}: argument '${parameter.name}'`) : REFUSED;
    case "Scalar":
      return typeof value === "number" || typeof value === "boolean" || typeof value === "bigint" || isComplexNumber(value)
        ? value
        : REFUSED;
    case "int":
      if (parameter.name === "reduction" && typeof value === "string" && Object.hasOwn(reductions, value))
        return reductions[value as Reduction];
      return Number.isSafeInteger(value) || isInt64(value) ? value : REFUSED;
    case "float":
      return typeof value === "number" ? value : REFUSED;
    case "bool":
      return typeof value === "boolean" ? value : REFUSED;
    case "str":
    case "Device":
    case "Stream":
      return typeof value === "string" ? value : REFUSED;
    case "dtype":
      return isDType(value) ? dtypeCode(value) : REFUSED;
    case "layout":
      return typeof value === "string" && Object.hasOwn(layouts, value) ? layouts[value as Layout] : REFUSED;
    case "MemoryFormat":
      return typeof value === "string" && Object.hasOwn(memoryFormats, value) ? memoryFormats[value as MemoryFormat] : REFUSED;
    case "Generator":
      return value instanceof Generator ? value.live() : REFUSED;
    case "other":
      return REFUSED;
  }
}

function isComplexNumber(value: unknown): boolean {
  return typeof value === "object" && value !== null && "real" in value && "imag" in value && !(value instanceof Tensor);
}

function isInt64(value: unknown): boolean {
  return typeof value === "bigint" && BigInt.asIntN(64, value) === value;
}

function isOptions(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) && !isComplexNumber(value);
}

/** The options object a call ends with, if it does. */
function optionsOf(args: readonly unknown[]): Record<string, unknown> | undefined {
  const last = args.length > 0 ? args[args.length - 1] : undefined;
  return typeof last === "object" && !(last instanceof Tensor) && isOptions(last) ? last : undefined;
}

/** Converts the arguments for one overload, or returns undefined when they are not its. */
function marshal(
  overload: Overload,
  args: readonly unknown[],
  options: Record<string, unknown> | undefined,
): unknown[] | undefined {
  const parameters = overload.arguments;
  const count = options === undefined ? args.length : args.length - 1;
  if (count > overload.positional) return refuse({ tooMany: overload.positional });
  let given = count;
  if (options !== undefined) {
    for (const key of Object.keys(options)) {
      const at = overload.byName.get(key);
      if (at === undefined || at < count) return refuse({ unknownOption: key });
      if (at + 1 > given) given = at + 1;
    }
  }
  const converted = new Array<unknown>(given);
  for (let i = 0; i < given; i++) {
    const parameter = parameters[i]!;
    const value = i < count ? args[i] : options![parameter.key];
    const argument = convert(overload, parameter, value);
    if (argument === REFUSED) return refuse({ parameter, value });
    converted[i] = argument;
  }
  for (let i = given; i < parameters.length; i++) {
    if (parameters[i]!.required) return refuse({ parameter: parameters[i]!, value: undefined });
  }
  return converted;
}

function refuse(why: Refusal): undefined {
  refusal = why;
  return undefined;
}

/** The value the caller gave for an argument, which a return may be. */
function argumentAt(overload: Overload, args: readonly unknown[], index: number): unknown {
  const options = optionsOf(args);
  const count = options === undefined ? args.length : args.length - 1;
  return index < count ? args[index] : options?.[overload.arguments[index]!.key];
}

function wrap(result: unknown, type: string): unknown {
  if (type === "Tensor") return result === -1 || result === null ? null : new Tensor(result as number);
  if (type === "Tensor[]") return (result as number[]).map((slot) => (slot === -1 ? null : new Tensor(slot)));
  if (type === "ScalarType") return dtypeOfCode(result as number);
  if (type.startsWith("Dict(Tensor")) return (result as number[][]).map((pair) => pair.map((slot) => new Tensor(slot)));
  return result;
}

function results(overload: Overload, args: readonly unknown[], result: unknown): unknown {
  const { returns } = overload;
  const one = (value: unknown, at: number): unknown => {
    const { aliasOf, type } = returns[at]!;
    return aliasOf >= 0 ? argumentAt(overload, args, aliasOf) : wrap(value, type);
  };
  if (returns.length === 0) return undefined;
  if (returns.length === 1) return one(result, 0);
  return returns.map((_, at) => one((result as unknown[])[at], at));
}

function callNative(id: number, values: unknown[]): unknown {
  switch (values.length) {
    case 1:
      return binding.call(id, values[0]);
    case 2:
      return binding.call(id, values[0], values[1]);
    case 3:
      return binding.call(id, values[0], values[1], values[2]);
    default:
      return binding.call(id, ...values);
  }
}

/** Calls an operator with the user's arguments. */
export function invoke(operator: Operator, args: readonly unknown[]): unknown {
  const overloads = (operator.overloads ??= describe(operator));
  const options = optionsOf(args);
  for (let i = 0; i < overloads.length; i++) {
    const overload = overloads[i]!;
    const values = marshal(overload, args, options);
    if (values === undefined) continue;
    const result = callNative(overload.id, values);
    return overload.returnsTensor && result !== -1 ? new Tensor(result as number) : results(overload, args, result);
  }
  throw explain(operator, overloads, args);
}

/** An operator fixed to these overloads, as a function that returns a tensor. */
export function atenOperator(...qualifiedNames: [string, ...string[]]): (...args: unknown[]) => Tensor {
  const name = qualifiedNames[0].replace("aten::", "");
  const operator: Operator = { name, qualifiedNames };
  return (...args) => invoke(operator, args) as Tensor;
}

/** `invoke` for one or two tensors and nothing else, the calls a step is full of: straight to the addon. */
export function invokeUnary(operator: Operator, self: Tensor): unknown {
  operator.overloads ??= describe(operator);
  if (operator.unary === -1 || self.slot === -1) return invoke(operator, [self]);
  const slot = binding.call(operator.unary!, self.slot) as number;
  return slot === -1 ? null : new Tensor(slot);
}

export function invokeBinary(operator: Operator, self: Tensor, other: unknown): unknown {
  operator.overloads ??= describe(operator);
  if (operator.binary === -1 || !(other instanceof Tensor) || self.slot === -1 || other.slot === -1)
    return invoke(operator, [self, other]);
  const slot = binding.call(operator.binary!, self.slot, other.slot) as number;
  return slot === -1 ? null : new Tensor(slot);
}

/** The overload that `count` tensors select, when it returns a new tensor. */
function selectedByTensors(overloads: Overload[], count: number): number {
  const selected = overloads.find(
    ({ arguments: parameters, positional }) =>
      positional >= count &&
      parameters.every(({ kind, list, required }, at) => (at < count ? kind === "Tensor" && !list : !required)),
  );
  return selected?.returnsTensor ? selected.id : -1;
}

function describe(operator: Operator): Overload[] {
  const overloads = describeOverloads(operator);
  operator.unary = selectedByTensors(overloads, 1);
  operator.binary = selectedByTensors(overloads, 2);
  return overloads;
}

function describeOverloads(operator: Operator): Overload[] {
  return operator.qualifiedNames
    .map((name): Overload => {
      const id = binding.findOperator(name);
      const description = binding.describeOperator(id);
      const parameters = description.arguments.map((argument) => ({
        ...argument,
        key: camelCase(argument.name),
        required: !argument.hasDefault && !(argument.optional && argument.kwargOnly),
      }));
      const firstKeyword = parameters.findIndex((parameter) => parameter.kwargOnly);
      return {
        id,
        name,
        schema: description.schema,
        writesOut: /\*, .*Tensor\(\w+!\)(\[\])? \w+\)/.test(description.schema.split(" -> ")[0]!),
        arguments: parameters,
        positional: firstKeyword === -1 ? parameters.length : firstKeyword,
        byName: new Map(parameters.map((parameter, at) => [parameter.key, at])),
        returnsTensor:
          description.returns.length === 1 && description.returns[0]!.type === "Tensor" && description.returns[0]!.aliasOf === -1,
        returns: description.returns,
      };
    })
    .sort(byPreference);
}

const preference: ArgumentDescription["kind"][] = ["Tensor", "int", "bool", "float", "dtype", "Scalar", "str"];

function rank({ kind, list }: Parameter): number {
  const at = preference.indexOf(kind);
  return (at === -1 ? preference.length : at) + (list ? 0.5 : 0);
}

/** Tensors before scalars, single values before lists, fewer arguments before more. */
function byPreference(a: Overload, b: Overload): number {
  for (let i = 0; i < Math.min(a.positional, b.positional); i++) {
    const difference = rank(a.arguments[i]!) - rank(b.arguments[i]!);
    if (difference !== 0) return difference;
  }
  return a.arguments.length - b.arguments.length;
}

/** Why no overload takes the arguments: the very one when it is the same for all, else what there is to choose from. */
function explain(operator: Operator, overloads: Overload[], args: readonly unknown[]): Error {
  const options = optionsOf(args);
  const candidates = overloads.filter(({ writesOut }) => !writesOut || (options !== undefined && "out" in options));
  const refusals = candidates.map((overload) => {
    marshal(overload, args, options);
    return refusal;
  });
  const reasons = new Set(refusals.map(describeRefusal));
  const reason =
    reasons.size === 1
      ? [...reasons][0]!
      : `no overload takes (${args.map(describeValue).join(", ")})${unknownToAll(refusals, overloads)}`;
  const schemas = candidates.map(({ schema }) => `\n  ${schema}`).join("");
  return new TypeError(`${operator.name}: ${reason}; there ${candidates.length === 1 ? "is" : "are"}${schemas}`);
}

function describeRefusal(why: Refusal): string {
  if ("tooMany" in why)
    return `Expected at most ${why.tooMany} arguments by position, the tensor itself included (several sizes or dimensions go in one array)`;
  if ("unknownOption" in why) return `Unknown option '${why.unknownOption}'`;
  const { parameter, value } = why;
  if (value === undefined) return `Missing argument '${parameter.key}'`;
  return `Expected ${describeParameter(parameter)} for '${parameter.key}' but received ${describeValue(value)}`;
}

function unknownToAll(refusals: Refusal[], overloads: Overload[]): string {
  const keys = new Set(refusals.flatMap((why) => ("unknownOption" in why ? [why.unknownOption] : [])));
  const unknown = [...keys].filter((key) => overloads.every(({ byName }) => !byName.has(key)));
  return unknown.length > 0 ? `: none has an option '${unknown.join("', '")}'` : "";
}

const expected: Record<ArgumentDescription["kind"], string> = {
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

function describeParameter({ kind, list }: Parameter): string {
  return list ? `an array (${expected[kind]} each)` : expected[kind];
}

/** A value in an error message: short, and never a dump of its contents. */
export function describeValue(value: unknown): string {
  return describeNested(value, 2);
}

function describeNested(value: unknown, depth: number): string {
  if (value instanceof Tensor)
    return value.slot === -1 ? "a disposed Tensor" : `Tensor ${value.dtype}[${value.shape.join(", ")}]`;
  if (Array.isArray(value)) {
    const shown = depth === 0 ? [] : Array.from(value.slice(0, 4), (element) => describeNested(element, depth - 1));
    return `[${value.length > shown.length ? [...shown, "…"].join(", ") : shown.join(", ")}]`;
  }
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === "function") return "a function";
  if (typeof value === "object" && value !== null) {
    if (!isOptions(value)) return `an object (${value.constructor?.name ?? "no class"})`;
    const keys = Object.keys(value);
    return `{ ${keys.slice(0, 8).join(", ")}${keys.length > 8 ? ", …" : ""} }`;
  }
  return typeof value === "bigint" ? `${value}n` : String(value);
}

export type { DType };
