/**
 * What operators take: their overloads, read from the schemas of the running library at an operator's first call.
 *
 * Positional arguments follow the schema's order; keyword-only ones come in one trailing options object, where every
 * other argument may also be named. Names are in camelCase: `rounding_mode` is `roundingMode`.
 */
import { binding } from "../native/binding";
import type { ArgumentDescription, OperatorDescription } from "../native/interface";
import { type Converter, converterOf } from "./arguments";

export interface Parameter extends ArgumentDescription {
  /** Its name in camelCase. */
  key: string;
  required: boolean;
  /** To what the addon gets; undefined and null too. */
  convert: Converter;
}

export interface Overload {
  id: number;
  schema: string;
  parameters: Parameter[];
  /** How many arguments may be given by position. */
  positional: number;
  byName: Map<string, number>;
  /** Exactly one return, a new tensor: the common case. */
  returnsTensor: boolean;
  /** Takes the tensors to write its results to by name, as `out=`. */
  writesOut: boolean;
  returns: OperatorDescription["returns"];
}

export interface Operator {
  /** As the user calls it: `add`. */
  name: string;
  qualifiedNames: string[];
  /** Described at the first call, in the order in which they are tried. */
  overloads?: Overload[];
  /** The ids of the overloads that one tensor, or two, select and that return a new one; -1 when none does. */
  unary?: number;
  binary?: number;
}

/** PyTorch's snake_case in camelCase; a leading underscore and the trailing one of in-place ops stay. */
export function jsName(name: string): string {
  return name.replace(/_+([a-z0-9])/gi, (match, letter: string, at: number) => (at === 0 ? match : letter.toUpperCase()));
}

let aten: Map<string, Operator> | undefined;

/** The running library's ATen operators by the name a user calls them: `logSoftmax`. */
export function atenOperators(): ReadonlyMap<string, Operator> {
  aten ??= listOperators();
  return aten;
}

function listOperators(): Map<string, Operator> {
  const operators = new Map<string, Operator>();
  for (const qualifiedName of binding.operatorNames()) {
    const [namespace, base] = qualifiedName.split(/::|\./) as [string, string];
    if (namespace !== "aten") continue;
    const name = jsName(base);
    const operator = operators.get(name);
    if (operator) operator.qualifiedNames.push(qualifiedName);
    else operators.set(name, { name, qualifiedNames: [qualifiedName] });
  }
  return operators;
}

/**
 * Has `install` put the operators into `target` (an object, or a class's prototype) when one of them is first asked for,
 * as their names are known only once libtorch is open. `install` gives `target` its final prototype.
 */
export function installedOnUse(target: object, install: () => void): void {
  const base = Object.create(Reflect.getPrototypeOf(target)) as object;
  const isOurs = (name: string | symbol) => typeof name === "symbol" || name in base;
  const untilThen: ProxyHandler<object> = {
    get(_, name, receiver) {
      if (isOurs(name)) return Reflect.get(base, name, receiver) as unknown;
      install();
      return Reflect.get(target, name, receiver) as unknown;
    },
    has(_, name) {
      if (isOurs(name)) return name in base;
      install();
      return name in target;
    },
  };
  Object.setPrototypeOf(target, new Proxy(base, untilThen)); // on an empty object, for `instanceof` to pass through
}

/** Describes the operator's overloads, once. */
export function describeOperator(operator: Operator): Overload[] {
  const overloads = operator.qualifiedNames.map(describeOverload).sort(byPreference);
  operator.unary = selectedByTensors(overloads, 1);
  operator.binary = selectedByTensors(overloads, 2);
  return (operator.overloads = overloads);
}

function describeOverload(name: string): Overload {
  const id = binding.findOperator(name);
  const { schema, returns, arguments: described } = binding.describeOperator(id);
  const parameters = described.map((argument): Parameter => {
    const required = !argument.hasDefault && !(argument.optional && argument.kwargOnly);
    const convert = converterOf(argument, required, `${name}: argument '${argument.name}'`);
    return { ...argument, key: jsName(argument.name), required, convert };
  });
  const firstKeyword = parameters.findIndex((parameter) => parameter.kwargOnly);
  return {
    id,
    schema,
    parameters,
    positional: firstKeyword === -1 ? parameters.length : firstKeyword,
    byName: new Map(parameters.map((parameter, at) => [parameter.key, at])),
    returnsTensor: returns.length === 1 && returns[0]!.type === "Tensor" && returns[0]!.aliasOf === -1,
    writesOut: /\*, .*Tensor\(\w+!\)(\[\])? \w+\)/.test(schema.split(" -> ")[0]!),
    returns,
  };
}

/** The overload that `count` tensors select, when it returns a new tensor. */
function selectedByTensors(overloads: Overload[], count: number): number {
  const selected = overloads.find(
    ({ parameters, positional }) =>
      positional >= count &&
      parameters.every(({ kind, list, required }, at) => (at < count ? kind === "Tensor" && !list : !required)),
  );
  return selected?.returnsTensor ? selected.id : -1;
}

const preference: ArgumentDescription["kind"][] = ["Tensor", "int", "bool", "float", "dtype", "Scalar", "str"];

function rank({ kind, list }: Parameter): number {
  const at = preference.indexOf(kind);
  return (at === -1 ? preference.length : at) + (list ? 0.5 : 0);
}

/** Tensors before scalars, single values before lists, fewer arguments before more. */
function byPreference(a: Overload, b: Overload): number {
  for (let i = 0; i < Math.min(a.positional, b.positional); i++) {
    const difference = rank(a.parameters[i]!) - rank(b.parameters[i]!);
    if (difference !== 0) return difference;
  }
  return a.parameters.length - b.parameters.length;
}
