/** The runtime objects of templates: `loop`, macros, namespaces (jinja2/runtime.py and utils.py). */
import { equal } from "./compare";
import type { Environment } from "./environment";
import { JinjaError, typeError } from "./errors";
import { limits } from "./limits";
import { entriesOf } from "./methods";
import { repr } from "./print";
import { noKeywords, signature } from "./signature";
import { Builtin, Dict, Instance, iterate, type Keywords, sizeOf, Tuple, type Value } from "./values";

/** A loop whose state the template can query. Like Jinja2's, it reads ahead only when necessary. */
export class LoopContext extends Instance {
  readonly typeName = "LoopContext";
  readonly module = "jinja2.runtime";
  private index0 = -1;
  private iterator: Iterator<Value>;
  private size: number | undefined;
  private after: IteratorResult<Value> | undefined;
  private current: Value | undefined;
  private before: Value | undefined;
  private lastChanged: Tuple | undefined;

  constructor(
    private readonly environment: Environment,
    private readonly iterable: Value,
    private readonly recurse: ((iterable: Value, depth: number) => Value) | undefined,
    private readonly depth0: number,
  ) {
    super();
    this.iterator = iterate(iterable);
  }

  /** The next item; undefined at the end. */
  next(): Value | undefined {
    const next = this.after ?? this.iterator.next();
    this.after = undefined;
    if (next.done) return undefined;
    this.index0++;
    this.before = this.current;
    this.current = next.value;
    return next.value;
  }

  private peek(): IteratorResult<Value> {
    return (this.after ??= this.iterator.next());
  }

  override length(): number {
    if (this.size !== undefined) return this.size;
    const known = sizeOf(this.iterable);
    if (known !== undefined) return (this.size = known);
    const rest: Value[] = [];
    for (let next = this.iterator.next(); !next.done; next = this.iterator.next()) {
      limits.step();
      rest.push(next.value);
      limits.list(rest.length);
    }
    this.iterator = rest.values();
    return (this.size = rest.length + this.index0 + 1 + Number(this.after !== undefined && !this.after.done));
  }

  override iterate(): Iterator<Value> {
    const next = (): IteratorResult<Value> => {
      const value = this.next();
      return value === undefined ? { done: true, value: undefined } : { done: false, value: new Tuple([value, this]) };
    };
    return { next };
  }

  override attribute(name: string): Value | undefined {
    switch (name) {
      case "index":
        return this.index0 + 1;
      case "index0":
        return this.index0;
      case "revindex":
        return this.length() - this.index0;
      case "revindex0":
        return this.length() - this.index0 - 1;
      case "first":
        return this.index0 === 0;
      case "last":
        return this.peek().done === true;
      case "length":
        return this.length();
      case "depth":
        return this.depth0 + 1;
      case "depth0":
        return this.depth0;
      case "previtem":
        return this.before !== undefined && this.index0 !== 0
          ? this.before
          : this.environment.undefinedBecause("there is no previous item");
      case "nextitem": {
        const next = this.peek();
        return next.done ? this.environment.undefinedBecause("there is no next item") : next.value;
      }
      case "cycle":
        return new Builtin("cycle", (args, keywords) => this.cycle(args, keywords), "method");
      case "changed":
        return new Builtin("changed", (args, keywords) => this.changed(args, keywords), "method");
      default:
        return undefined;
    }
  }

  private cycle(args: Value[], keywords: Keywords | undefined): Value {
    noKeywords("LoopContext.cycle", keywords);
    if (args.length === 0) throw typeError("no items for cycling given");
    return args[this.index0 % args.length]!;
  }

  private changed(args: Value[], keywords: Keywords | undefined): Value {
    noKeywords("LoopContext.changed", keywords);
    const values = new Tuple(args);
    if (this.lastChanged !== undefined && equal(this.lastChanged, values)) return false;
    this.lastChanged = values;
    return true;
  }

  override call(args: Value[], keywords: Keywords | undefined): Value {
    const [iterable] = signature("LoopContext.__call__", "iterable").bind(args, keywords);
    if (this.recurse === undefined) throw typeError("The loop must have the 'recursive' marker to be called recursively.");
    return this.recurse(iterable!, this.depth0 + 1);
  }

  override shown(): string {
    return `<LoopContext ${this.index0 + 1}/${this.length()}>`;
  }
}

export interface MacroParameters {
  readonly names: readonly string[];
  /** Whether the body reads `caller`, `kwargs` and `varargs`. */
  readonly hasCaller: boolean;
  readonly hasKeywords: boolean;
  readonly hasVarargs: boolean;
}

/** A macro, or the body of a call block. */
export class Macro extends Instance {
  readonly typeName = "Macro";
  readonly module = "jinja2.runtime";

  /**
   * @param body receives the arguments in the order parameters, caller, kwargs, varargs; undefined for missing
   *   ones
   */
  constructor(
    private readonly environment: Environment,
    private readonly name: string | undefined,
    private readonly parameters: MacroParameters,
    private readonly body: (args: (Value | undefined)[]) => string,
  ) {
    super();
  }

  override attribute(name: string): Value | undefined {
    const { names, hasCaller, hasKeywords, hasVarargs } = this.parameters;
    switch (name) {
      case "name":
        return this.name ?? null;
      case "arguments":
        return new Tuple([...names]);
      case "caller":
        return hasCaller;
      case "catch_kwargs":
        return hasKeywords;
      case "catch_varargs":
        return hasVarargs;
      case "explicit_caller":
        return names.includes("caller");
      default:
        return undefined;
    }
  }

  override shown(): string {
    return `<Macro ${this.name === undefined ? "anonymous" : repr(this.name)}>`;
  }

  override call(args: Value[], keywords: Keywords | undefined): Value {
    const { names, hasCaller, hasKeywords, hasVarargs } = this.parameters;
    const left = new Map(keywords);
    const given: (Value | undefined)[] = args.slice(0, names.length);
    let hasFoundCaller = given.length === names.length && names.includes("caller");
    for (const name of names.slice(given.length)) {
      given.push(left.get(name));
      left.delete(name);
      if (name === "caller") hasFoundCaller = true;
    }
    if (hasCaller && !hasFoundCaller) {
      const caller = left.get("caller") ?? null;
      left.delete("caller");
      given.push(caller ?? this.environment.undefinedBecause("No caller defined"));
    }
    if (hasKeywords) given.push(Dict.of(left));
    else if (left.size > 0) {
      if (left.has("caller"))
        throw typeError(
          `macro ${this.shownName} was invoked with two values for the special caller argument. This is most likely a bug.`,
        );
      throw typeError(`macro ${this.shownName} takes no keyword argument ${repr([...left.keys()][0]!)}`);
    }
    if (hasVarargs) given.push(new Tuple(args.slice(names.length)));
    else if (args.length > names.length)
      throw typeError(`macro ${this.shownName} takes not more than ${names.length} argument(s)`);
    limits.enter();
    const result = this.body(given);
    limits.leave();
    return result;
  }

  private get shownName(): string {
    return this.name === undefined ? "None" : repr(this.name);
  }
}

/** `namespace(...)`. */
export class Namespace extends Instance {
  readonly module = "transformers.utils.chat_template_utils";
  private readonly attributes = new Dict();

  /** @param isGuarded whether names with a leading underscore are rejected, as in transformers */
  constructor(
    args: readonly Value[],
    keywords: Keywords | undefined,
    private readonly isGuarded: boolean,
  ) {
    super();
    for (const [name, value] of entriesOf("dict", args, keywords)) this.set(name, value);
  }

  get typeName(): string {
    return this.isGuarded ? "TemplateNamespace" : "Namespace";
  }

  set(name: Value, value: Value): void {
    if (this.isGuarded && typeof name === "string" && name.startsWith("_"))
      throw new JinjaError(
        "SecurityError",
        `Chat templates cannot store underscore-prefixed attributes on a namespace, but got ${repr(name)}. Please rename the attribute.`,
      );
    this.attributes.set(name, value);
  }

  override attribute(name: string): Value | undefined {
    return this.attributes.get(name);
  }

  override shown(): string {
    return `<Namespace ${repr(this.attributes)}>`;
  }
}

/** `cycler(...)`. */
export class Cycler extends Instance {
  readonly typeName = "Cycler";
  readonly module = "jinja2.utils";
  private at = 0;

  constructor(private readonly items: readonly Value[]) {
    super();
    if (items.length === 0) throw new JinjaError("RuntimeError", "at least one item has to be provided");
  }

  override attribute(name: string): Value | undefined {
    switch (name) {
      case "current":
        return this.items[this.at]!;
      case "items":
        return new Tuple(this.items);
      case "pos":
        return this.at;
      case "next":
        return new Builtin(
          "next",
          (args, keywords) => {
            signature("Cycler.next", "").bind(args, keywords);
            const item = this.items[this.at]!;
            this.at = (this.at + 1) % this.items.length;
            return item;
          },
          "method",
        );
      case "reset":
        return new Builtin(
          "reset",
          (args, keywords) => {
            signature("Cycler.reset", "").bind(args, keywords);
            this.at = 0;
            return null;
          },
          "method",
        );
      default:
        return undefined;
    }
  }
}

/** `joiner(...)`. */
export class Joiner extends Instance {
  readonly typeName = "Joiner";
  readonly module = "jinja2.utils";
  private isUsed = false;

  constructor(private readonly separator: Value) {
    super();
  }

  override attribute(name: string): Value | undefined {
    return name === "sep" ? this.separator : name === "used" ? this.isUsed : undefined;
  }

  override call(args: Value[], keywords: Keywords | undefined): Value {
    signature("Joiner.__call__", "").bind(args, keywords);
    if (this.isUsed) return this.separator;
    this.isUsed = true;
    return "";
  }
}

/** `self.name`: a block, to be printed again. */
export class BlockReference extends Instance {
  readonly typeName = "BlockReference";
  readonly module = "jinja2.runtime";

  constructor(
    private readonly environment: Environment,
    private readonly name: string,
    private readonly render: () => string,
  ) {
    super();
  }

  override attribute(name: string): Value | undefined {
    if (name === "name") return this.name;
    return name === "super"
      ? this.environment.undefinedBecause(`there is no parent block called ${repr(this.name)}.`)
      : undefined;
  }

  override call(args: Value[], keywords: Keywords | undefined): Value {
    signature("BlockReference.__call__", "").bind(args, keywords);
    limits.enter();
    const text = this.render();
    limits.leave();
    return text;
  }
}

/** `self`. */
export class TemplateReference extends Instance {
  readonly typeName = "TemplateReference";
  readonly module = "jinja2.runtime";

  constructor(private readonly block: (name: string) => Value | undefined) {
    super();
  }

  override attribute(): undefined {
    return undefined;
  }

  override item(key: Value): Value | undefined {
    return typeof key === "string" ? this.block(key) : undefined;
  }

  override shown(): string {
    return "<TemplateReference None>";
  }
}

/** Unpacks a value into `count` parts. @throws ValueError when there are more or fewer */
export function unpack(value: Value, count: number): Value[] {
  let items: Iterator<Value>;
  try {
    items = iterate(value);
  } catch (error) {
    if (!(error instanceof JinjaError) || error.kind !== "TypeError") throw error;
    throw typeError(error.message.replace(/^'(.*)' object is not iterable$/, "cannot unpack non-iterable $1 object"));
  }
  const parts: Value[] = [];
  for (let next = items.next(); !next.done; next = items.next()) {
    parts.push(next.value);
    if (parts.length > count) throw new JinjaError("ValueError", `too many values to unpack (expected ${count})`);
  }
  if (parts.length < count)
    throw new JinjaError("ValueError", `not enough values to unpack (expected ${count}, got ${parts.length})`);
  return parts;
}
