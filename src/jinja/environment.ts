/** What templates can use, and how they read attributes and items: Jinja2's Environment and its sandbox. */

import { typeError } from "./errors";
import type { FieldAccess } from "./format";
import { callMethod, hasMethod, methodOf, propertyOf } from "./methods";
import { item } from "./operators";
import type { ParserOptions } from "./parser";
import { missing } from "./print";
import { Callable, Instance, type Keywords, typeName, Undefined, type Value } from "./values";

/** A filter or test. The first argument is the value it is applied to. */
export type FilterFunction = (environment: Environment, args: Value[], keywords: Keywords | undefined) => Value;

export interface EnvironmentOptions {
  readonly syntax: ParserOptions;
  readonly filters: ReadonlyMap<string, FilterFunction>;
  readonly tests: ReadonlyMap<string, FilterFunction>;
  readonly globals: ReadonlyMap<string, Value>;
  /** Whether lists and dicts cannot be changed (ImmutableSandboxedEnvironment). */
  readonly isSandboxed: boolean;
  /** Whether an undefined value can only be tested (StrictUndefined). */
  readonly isStrict: boolean;
}

/** Attributes that every Python object has. */
const DUNDERS = new Set(
  "class delattr dir doc eq format ge getattribute getstate gt hash init init_subclass le lt ne new reduce reduce_ex repr setattr sizeof str subclasshook"
    .split(" ")
    .map((name) => `__${name}__`),
);
/** Methods that modify a list or dict, by type. */
const MUTATING: Record<string, ReadonlySet<string>> = {
  list: new Set(["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"]),
  dict: new Set(["clear", "pop", "popitem", "setdefault", "update"]),
};

export class Environment implements FieldAccess {
  readonly syntax: ParserOptions;
  readonly filters: ReadonlyMap<string, FilterFunction>;
  readonly tests: ReadonlyMap<string, FilterFunction>;
  readonly globals: ReadonlyMap<string, Value>;
  readonly isStrict: boolean;
  private readonly isSandboxed: boolean;

  constructor(options: EnvironmentOptions) {
    this.syntax = options.syntax;
    this.filters = options.filters;
    this.tests = options.tests;
    this.globals = options.globals;
    this.isStrict = options.isStrict;
    this.isSandboxed = options.isSandboxed;
  }

  /** `object.name` of a template: the attribute, or the item of that name. */
  attribute(object: Value, name: string): Value {
    let found = this.ownAttribute(object, name);
    if (found === undefined) found = itemOf(object, name);
    return found === undefined ? this.missing(object, name) : found;
  }

  /** `object[key]` of a template: the item, or the attribute of that name. */
  item(object: Value, key: Value): Value {
    const found = itemOf(object, key);
    if (found !== undefined) return found;
    const attribute = typeof key === "string" ? this.ownAttribute(object, key) : undefined;
    return attribute === undefined ? this.missing(object, key) : attribute;
  }

  /** `getattr(object, name)`; undefined if there is no such attribute. */
  ownAttribute(object: Value, name: string): Value | undefined {
    if (object instanceof Undefined) object.fail();
    if (name.startsWith("_")) {
      if (DUNDERS.has(name)) return this.unsafe(object, name);
      return object instanceof Instance ? object.attribute(name) : undefined;
    }
    if (object instanceof Instance) return object.attribute(name);
    if (this.forbids(object, name)) return this.unsafe(object, name);
    const property = propertyOf(object, name);
    return property === undefined ? methodOf(this, object, name) : property;
  }

  /** Whether `object.name` is a method of the engine that the template may call. */
  hasMethod(object: Value, name: string): boolean {
    return hasMethod(object, name) && !this.forbids(object, name);
  }

  /** Calls a method that {@link hasMethod} knows. */
  callMethod(object: Value, name: string, args: Value[], keywords: Keywords | undefined): Value {
    return callMethod(this, object, name, args, keywords);
  }

  /** The value for something that does not exist. */
  missing(object: Value, name: Value): Undefined {
    return missing(name, this.isStrict, object);
  }

  /** The value of a name that does not exist. */
  missingName(name: string): Undefined {
    return missing(name, this.isStrict);
  }

  /** A value that is undefined for a given reason. */
  undefinedBecause(hint: string): Undefined {
    return new Undefined(() => hint, this.isStrict);
  }

  private forbids(object: Value, name: string): boolean {
    return (
      this.isSandboxed && (Array.isArray(object) || typeof object === "object") && MUTATING[typeName(object)]?.has(name) === true
    );
  }

  private unsafe(object: Value, name: string): Undefined {
    const hint = `access to attribute '${name}' of '${typeName(object)}' object is unsafe.`;
    return new Undefined(() => hint, this.isStrict, "SecurityError");
  }
}

function itemOf(object: Value, key: Value): Value | undefined {
  return object instanceof Instance ? object.item(key) : item(object, key);
}

/** Calls a value. @throws TypeError when it cannot be called */
export function call(callee: Value, args: Value[], keywords: Keywords | undefined): Value {
  if (callee instanceof Callable || callee instanceof Instance) return callee.call(args, keywords);
  if (callee instanceof Undefined) callee.fail();
  throw typeError(`'${typeName(callee)}' object is not callable`);
}
