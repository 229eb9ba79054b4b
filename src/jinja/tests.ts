/** Jinja2's tests, as in `x is defined` (jinja2/tests.py). */
import { contains, equal, ordered } from "./compare";
import type { Environment, FilterFunction } from "./environment";
import { JinjaError } from "./errors";
import { binary } from "./operators";
import { str } from "./print";
import { Cycler, LoopContext, Namespace, TemplateReference } from "./runtime";
import { signature } from "./signature";
import { isCase } from "./strings";
import {
  Callable,
  Dict,
  hashed,
  Instance,
  isInt,
  iterate,
  Markup,
  PyFloat,
  sizeOf,
  textOf,
  Undefined,
  type Value,
} from "./values";

type Work = (value: Value, other: Value, environment: Environment) => boolean;

/** A test of a value, with one argument if `parameters` names two. */
function test(name: string, parameters: string, work: Work): FilterFunction {
  const bound = signature(name, parameters);
  return (environment, args, keywords) => {
    const [value, other] = bound.bind(args, keywords);
    return work(value!, other as Value, environment);
  };
}

const alone = (name: string, work: (value: Value) => boolean): FilterFunction => test(`test_${name}`, "value", work);
const compared = (name: string, work: Work): FilterFunction => test(name, "a b /", work);

const isBoolean = (value: Value) => typeof value === "boolean";

function isSequence(value: Value): boolean {
  try {
    if (sizeOf(value) === undefined) return false;
  } catch (error) {
    if (error instanceof JinjaError) return false;
    throw error;
  }
  return textOf(value) !== undefined || Array.isArray(value) || value instanceof Undefined || hasItems(value);
}

/** Whether a value with a length also has `__getitem__`: loops and views of dicts do not. */
function hasItems(value: Value): boolean {
  return !(value instanceof Instance) && typeof value === "object" && !("kind" in (value as object));
}

function isIterable(value: Value): boolean {
  if (value instanceof LoopContext) return true;
  if (value instanceof TemplateReference) return true; // it has __getitem__
  try {
    iterate(value);
    return true;
  } catch (error) {
    if (error instanceof JinjaError && error.kind === "TypeError") return false;
    throw error;
  }
}

function isCallable(value: Value): boolean {
  if (value instanceof Undefined) return true; // it has __call__
  if (value instanceof Instance)
    return !(value instanceof Namespace || value instanceof Cycler || value instanceof TemplateReference);
  return value instanceof Callable;
}

function isNamed(value: Value, names: ReadonlyMap<string, unknown>): boolean {
  hashed(value); // throws for unhashable values, as in Jinja2
  const name = textOf(value);
  return name !== undefined && names.has(name);
}

const equalTest = compared("eq", equal);
const unequal = compared("ne", (a, b) => !equal(a, b));
const greater = compared("gt", (a, b) => ordered(">", a, b));
const atLeast = compared("ge", (a, b) => ordered(">=", a, b));
const less = compared("lt", (a, b) => ordered("<", a, b));
const atMost = compared("le", (a, b) => ordered("<=", a, b));

/** All tests, by name. */
export const TESTS: ReadonlyMap<string, FilterFunction> = new Map([
  ["odd", alone("odd", (value) => equal(binary("%", value, 2), 1))],
  ["even", alone("even", (value) => equal(binary("%", value, 2), 0))],
  ["divisibleby", test("test_divisibleby", "value num", (value, by) => equal(binary("%", value, by), 0))],
  ["defined", alone("defined", (value) => !(value instanceof Undefined))],
  ["undefined", alone("undefined", (value) => value instanceof Undefined)],
  ["filter", test("test_filter", "value", (value, _, { filters }) => isNamed(value, filters))],
  ["test", test("test_test", "value", (value, _, { tests }) => isNamed(value, tests))],
  ["none", alone("none", (value) => value === null)],
  ["boolean", alone("boolean", isBoolean)],
  ["false", alone("false", (value) => value === false)],
  ["true", alone("true", (value) => value === true)],
  ["integer", alone("integer", (value) => isInt(value) && !isBoolean(value))],
  ["float", alone("float", (value) => value instanceof PyFloat)],
  ["lower", alone("lower", (value) => isCase(str(value), "lower"))],
  ["upper", alone("upper", (value) => isCase(str(value), "upper"))],
  ["string", alone("string", (value) => textOf(value) !== undefined)],
  ["mapping", alone("mapping", (value) => value instanceof Dict)],
  ["number", alone("number", (value) => isInt(value) || value instanceof PyFloat)],
  ["sequence", alone("sequence", isSequence)],
  ["iterable", alone("iterable", isIterable)],
  ["callable", test("callable", "obj /", isCallable)],
  ["sameas", test("test_sameas", "value other", (value, other) => value === other)],
  ["escaped", alone("escaped", (value) => value instanceof Markup)],
  ["in", test("test_in", "value seq", (value, container) => contains(container, value))],
  ["==", equalTest],
  ["eq", equalTest],
  ["equalto", equalTest],
  ["!=", unequal],
  ["ne", unequal],
  [">", greater],
  ["gt", greater],
  ["greaterthan", greater],
  ["ge", atLeast],
  [">=", atLeast],
  ["<", less],
  ["lt", less],
  ["lessthan", less],
  ["<=", atMost],
  ["le", atMost],
]);
