/**
 * Calling libtorch's operators. An operator name has overloads (`add.Tensor`, `add.Scalar`); a call takes the first
 * whose schema accepts the arguments, tensors before scalars, as PyTorch does. Arguments are checked and converted
 * here, once; the addon gets slots, codes and plain values.
 *
 * `Tensor` is built on this file, so calls are given the class of their results.
 */
import { receivedInCode } from "../base/values";
import { binding } from "../native/binding";
import { isComplexNumber, nameOfKind, REFUSED } from "./arguments";
import { dtypeOfCode } from "./dtype";
import { describeOperator, type Operator, type Overload, type Parameter } from "./schemas";
import { Handle } from "./scope";

/** The class of tensors that a call returns. */
type TensorClass = new (slot: number) => Handle;

/** Calls an operator with the user's arguments. */
export function invoke(operator: Operator, args: readonly unknown[], Tensor: TensorClass): unknown {
  const overloads = operator.overloads ?? describeOperator(operator);
  const options = optionsOf(args);
  for (let i = 0; i < overloads.length; i++) {
    const overload = overloads[i]!;
    const values = marshal(overload, args, options);
    if (!Array.isArray(values)) continue;
    const result = callNative(overload.id, values);
    return overload.returnsTensor && result !== -1 ? new Tensor(result as number) : results(overload, args, result, Tensor);
  }
  throw explain(operator, overloads, args);
}

/** `invoke` for one or two tensors and nothing else, the calls a step is full of: straight to the addon. */
export function invokeUnary(operator: Operator, self: Handle, Tensor: TensorClass): unknown {
  if (operator.overloads === undefined) describeOperator(operator);
  if (operator.unary === -1 || self.slot === -1) return invoke(operator, [self], Tensor);
  const slot = binding.call(operator.unary!, self.slot) as number;
  return slot === -1 ? null : new Tensor(slot);
}

export function invokeBinary(operator: Operator, self: Handle, other: unknown, Tensor: TensorClass): unknown {
  if (operator.overloads === undefined) describeOperator(operator);
  if (operator.binary === -1 || !(other instanceof Handle) || self.slot === -1 || other.slot === -1)
    return invoke(operator, [self, other], Tensor);
  const slot = binding.call(operator.binary!, self.slot, other.slot) as number;
  return slot === -1 ? null : new Tensor(slot);
}

function callNative(id: number, values: readonly unknown[]): unknown {
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

/** Why an overload does not take the arguments. Put into words only once all overloads have refused. */
type Mismatch = { parameter: Parameter; value: unknown } | { unknownOption: string } | { tooMany: number };

/** Converts the arguments for one overload, or says why they are not its. */
function marshal(
  overload: Overload,
  args: readonly unknown[],
  options: Record<string, unknown> | undefined,
): readonly unknown[] | Mismatch {
  const { parameters, positional } = overload;
  const count = options === undefined ? args.length : args.length - 1;
  if (count > positional) return { tooMany: positional };
  let given = count;
  if (options !== undefined) {
    for (const key of Object.keys(options)) {
      const at = overload.byName.get(key);
      if (at === undefined || at < count) return { unknownOption: key };
      if (at + 1 > given) given = at + 1;
    }
  }
  const converted = new Array<unknown>(given);
  for (let i = 0; i < given; i++) {
    const parameter = parameters[i]!;
    const value = i < count ? args[i] : options![parameter.key];
    const argument = parameter.convert(value);
    if (argument === REFUSED) return { parameter, value };
    converted[i] = argument;
  }
  for (let i = given; i < parameters.length; i++) {
    if (parameters[i]!.required) return { parameter: parameters[i]!, value: undefined };
  }
  return converted;
}

/** The options object a call ends with, if it does. */
function optionsOf(args: readonly unknown[]): Record<string, unknown> | undefined {
  const last = args.length > 0 ? args[args.length - 1] : undefined;
  return typeof last === "object" && !(last instanceof Handle) && isOptions(last) ? last : undefined;
}

function isOptions(value: object | null): value is Record<string, unknown> {
  if (value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) && !isComplexNumber(value);
}

function results(overload: Overload, args: readonly unknown[], result: unknown, Tensor: TensorClass): unknown {
  const { returns } = overload;
  const one = (value: unknown, at: number): unknown => {
    const { aliasOf, type } = returns[at]!;
    return aliasOf >= 0 ? argumentAt(overload, args, aliasOf) : wrap(value, type, Tensor);
  };
  if (returns.length === 0) return undefined;
  if (returns.length === 1) return one(result, 0);
  return returns.map((_, at) => one((result as unknown[])[at], at));
}

/** The value the caller gave for an argument, which a return may be. */
function argumentAt(overload: Overload, args: readonly unknown[], index: number): unknown {
  const options = optionsOf(args);
  const count = options === undefined ? args.length : args.length - 1;
  return index < count ? args[index] : options?.[overload.parameters[index]!.key];
}

function wrap(result: unknown, type: string, Tensor: TensorClass): unknown {
  if (type === "Tensor") return result === -1 || result === null ? null : new Tensor(result as number);
  if (type === "Tensor[]") return (result as number[]).map((slot) => (slot === -1 ? null : new Tensor(slot)));
  if (type === "ScalarType") return dtypeOfCode(result as number);
  if (type.startsWith("Dict(Tensor")) return (result as number[][]).map((pair) => pair.map((slot) => new Tensor(slot)));
  return result;
}

/** Why no overload takes the arguments: the reason if it is the same for all, otherwise the list of overloads. */
function explain(operator: Operator, overloads: Overload[], args: readonly unknown[]): Error {
  const options = optionsOf(args);
  const candidates = overloads.filter(({ writesOut }) => !writesOut || (options !== undefined && "out" in options));
  const mismatches = candidates.map((overload) => marshal(overload, args, options) as Mismatch);
  const reasons = new Set(mismatches.map(describeMismatch));
  const reason =
    reasons.size === 1
      ? [...reasons][0]!
      : `no overload takes (${args.map((value) => receivedInCode(value)).join(", ")})${unknownToAll(mismatches, overloads)}`;
  const schemas = candidates.map(({ schema }) => `\n  ${schema}`).join("");
  return new TypeError(`${operator.name}: ${reason}; there ${candidates.length === 1 ? "is" : "are"}${schemas}`);
}

function describeMismatch(why: Mismatch): string {
  if ("tooMany" in why)
    return `Expected at most ${why.tooMany} arguments by position, the tensor itself included (several sizes or dimensions go in one array)`;
  if ("unknownOption" in why) return `Unknown option '${why.unknownOption}'`;
  const { parameter, value } = why;
  if (value === undefined) return `Missing argument '${parameter.key}'`;
  return `Expected ${nameOfKind(parameter)} for '${parameter.key}' but received ${receivedInCode(value)}`;
}

function unknownToAll(mismatches: Mismatch[], overloads: Overload[]): string {
  const keys = new Set(mismatches.flatMap((why) => ("unknownOption" in why ? [why.unknownOption] : [])));
  const unknown = [...keys].filter((key) => overloads.every(({ byName }) => !byName.has(key)));
  return unknown.length > 0 ? `: none has an option '${unknown.join("', '")}'` : "";
}
