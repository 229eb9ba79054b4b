/** Compiles expressions into closures. */
import { contains, equal, ordered } from "./compare";
import { call, type Environment } from "./environment";
import { JinjaError, typeError, unsupported } from "./errors";
import type { Evaluate, Frame, Place } from "./frames";
import { limits, tooDeep } from "./limits";
import type {
  Arguments,
  Binary,
  Call,
  Compare,
  Comparison,
  Concat,
  Conditional,
  DictNode,
  Expression,
  Filter,
  GetAttribute,
  GetItem,
  Logical,
  Name,
  Test,
  Unary,
} from "./nodes";
import { binary, slice, unary } from "./operators";
import { str } from "./print";
import type { Macro } from "./runtime";
import type { Variable } from "./symbols";
import { Dict, isTrue, type Keywords, listOf, Tuple, typeName, Undefined, type Value } from "./values";

/** Maximum nesting of expressions, such as the terms of a sum. */
const MOST_LEVELS = 500;

/** Compiles expressions; {@link Compiler} adds statements. */
export class ExpressionCompiler {
  private level = 0;

  constructor(protected readonly environment: Environment) {}

  protected fail(
    message: string,
    line: number,
    kind: "TemplateAssertionError" | "TemplateSyntaxError" = "TemplateAssertionError",
  ): never {
    throw new JinjaError(kind, message, line);
  }

  /** Reads a variable, which may belong to an enclosing function. */
  protected read(variable: Variable, { symbols }: Place): (frame: Frame) => Value | undefined {
    const { slot } = variable;
    const distance = symbols.scope.distanceTo(variable.scope);
    if (distance === 0) return (frame) => frame.slots[slot];
    if (distance === 1) return (frame) => frame.parent!.slots[slot];
    return (frame) => {
      let outer = frame;
      for (let i = 0; i < distance; i++) outer = outer.parent!;
      return outer.slots[slot];
    };
  }

  protected condition(node: Expression, place: Place): (frame: Frame) => boolean {
    const evaluate = this.expression(node, place);
    return (frame) => {
      const value = evaluate(frame);
      return typeof value === "boolean" ? value : isTrue(value);
    };
  }

  protected expression(node: Expression, place: Place): Evaluate {
    if (++this.level > MOST_LEVELS) throw tooDeep();
    const evaluate = this.evaluation(node, place);
    this.level--;
    return evaluate;
  }

  private evaluation(node: Expression, place: Place): Evaluate {
    switch (node.type) {
      case "Const":
        return () => node.value;
      case "Name":
        return this.name(node, place);
      case "Tuple": {
        const items = this.expressions(node.items, place);
        return (frame) => new Tuple(items.map((item) => item(frame)));
      }
      case "List": {
        const items = this.expressions(node.items, place);
        return (frame) => items.map((item) => item(frame));
      }
      case "Dict":
        return this.dict(node, place);
      case "Conditional":
        return this.conditional(node, place);
      case "Binary":
        return this.binary(node, place);
      case "And":
      case "Or":
        return this.logical(node, place);
      case "Unary":
        return this.unary(node, place);
      case "Compare":
        return this.comparison(node, place);
      case "Concat":
        return this.concatenation(node, place);
      case "GetAttribute":
        return this.attribute(node, place);
      case "GetItem":
        return this.item(node, place);
      case "Call":
        return this.call(node, place);
      case "Filter":
      case "Test":
        return this.application(node, place);
      case "Slice":
      case "NamespaceRef":
        throw unsupported(`'${node.type}' as an expression`, node.line);
    }
  }

  private expressions(nodes: readonly Expression[], place: Place): Evaluate[] {
    return nodes.map((node) => this.expression(node, place));
  }

  private name({ name }: Name, place: Place): Evaluate {
    const { environment } = this;
    const read = this.read(place.symbols.get(name), place);
    return (frame) => {
      const value = read(frame);
      return value === undefined ? environment.missingName(name) : value;
    };
  }

  private dict(node: DictNode, place: Place): Evaluate {
    const items = node.items.map(({ key, value }) => [this.expression(key, place), this.expression(value, place)] as const);
    return (frame) => {
      const dict = new Dict();
      for (const [key, value] of items) dict.set(key(frame), value(frame));
      return dict;
    };
  }

  private conditional(node: Conditional, place: Place): Evaluate {
    const soft: Place = { ...place, isSoft: true };
    const [test, then] = [this.condition(node.test, soft), this.expression(node.then, soft)];
    const hint = `the inline if-expression on line ${node.line} evaluated to false and no else section was defined.`;
    const otherwise = node.otherwise ? this.expression(node.otherwise, soft) : () => new Undefined(() => hint);
    return (frame) => (test(frame) ? then(frame) : otherwise(frame));
  }

  private binary(node: Binary, place: Place): Evaluate {
    const [left, right] = [this.expression(node.left, place), this.expression(node.right, place)];
    const { operator } = node;
    return (frame) => binary(operator, left(frame), right(frame));
  }

  private logical(node: Logical, place: Place): Evaluate {
    const [left, right] = [this.expression(node.left, place), this.expression(node.right, place)];
    if (node.type === "And")
      return (frame) => {
        const value = left(frame);
        return isTrue(value) ? right(frame) : value;
      };
    return (frame) => {
      const value = left(frame);
      return isTrue(value) ? value : right(frame);
    };
  }

  private unary(node: Unary, place: Place): Evaluate {
    const { operator } = node;
    if (operator === "not") {
      const test = this.condition(node.operand, place);
      return (frame) => !test(frame);
    }
    const operand = this.expression(node.operand, place);
    return (frame) => unary(operator, operand(frame));
  }

  private concatenation(node: Concat, place: Place): Evaluate {
    const items = this.expressions(node.items, place);
    return (frame) => {
      let text = "";
      for (const value of items.map((item) => item(frame))) text += str(value);
      limits.text(text.length);
      return text;
    };
  }

  private attribute(node: GetAttribute, place: Place): Evaluate {
    const object = this.expression(node.object, place);
    const { attribute } = node;
    const { environment } = this;
    return (frame) => environment.attribute(object(frame), attribute);
  }

  private item(node: GetItem, place: Place): Evaluate {
    const object = this.expression(node.object, place);
    const { key } = node;
    const { environment } = this;
    if (key.type === "Slice") {
      const [start, stop, step] = [key.start, key.stop, key.step].map((each) => each && this.expression(each, place));
      return (frame) => slice(object(frame), start?.(frame), stop?.(frame), step?.(frame));
    }
    const evaluate = this.expression(key, place);
    return (frame) => environment.item(object(frame), evaluate(frame));
  }

  private application(node: Filter | Test, place: Place): Evaluate {
    const apply = this.applied(node, place);
    const operand = this.expression(node.operand!, place);
    return (frame) => apply(frame, operand(frame));
  }

  private comparison(node: Compare, place: Place): Evaluate {
    const left = this.expression(node.left, place);
    const operands = node.operands.map(({ operator, right }) => ({
      holds: comparer(operator),
      right: this.expression(right, place),
    }));
    const [only] = operands;
    if (operands.length === 1) return (frame) => only!.holds(left(frame), only!.right(frame));
    return (frame) => {
      let value = left(frame);
      for (const { holds, right } of operands) {
        const next = right(frame);
        if (!holds(value, next)) return false;
        value = next;
      }
      return true;
    };
  }

  /** The filters of a block, in order. */
  protected filterOf(node: Filter, place: Place): (frame: Frame, value: Value) => Value {
    const filter = this.applied(node, place);
    if (node.operand === undefined) return filter;
    const before = this.filterOf(node.operand as Filter, place);
    return (frame, value) => filter(frame, before(frame, value));
  }

  /** A filter or test with its arguments, to be applied to a value. */
  private applied(node: Filter | Test, place: Place): (frame: Frame, value: Value) => Value {
    const { environment } = this;
    const kind = node.type === "Filter" ? "filter" : "test";
    const work = (kind === "filter" ? environment.filters : environment.tests).get(node.name);
    const args = this.arguments(node, place);
    if (work === undefined) {
      if (!place.isSoft) this.fail(`No ${kind} named '${node.name}'.`, node.line);
      return () => {
        throw new JinjaError("TemplateRuntimeError", `No ${kind} named '${node.name}' found.`);
      };
    }
    if (args === undefined)
      return (_frame, value) => {
        if (typeof value === "string") limits.reading(value.length);
        return work(environment, [value], undefined);
      };
    return (frame, value) => {
      if (typeof value === "string") limits.reading(value.length);
      const { given, keywords } = args(frame);
      return work(environment, [value, ...given], keywords);
    };
  }

  /** The arguments of a call; undefined if there are none. */
  private arguments(
    node: Arguments,
    place: Place,
  ): ((frame: Frame) => { given: Value[]; keywords: Keywords | undefined }) | undefined {
    const args = node.args.map((arg) => this.expression(arg, place));
    const named = node.keywords.map(({ name, value }) => [name, this.expression(value, place)] as const);
    const spread = node.spread && this.expression(node.spread, place);
    const keywordSpread = node.keywordSpread && this.expression(node.keywordSpread, place);
    if (args.length === 0 && named.length === 0 && !spread && !keywordSpread) return undefined;
    if (named.length === 0 && !spread && !keywordSpread)
      return (frame) => ({ given: args.map((arg) => arg(frame)), keywords: undefined });
    return (frame) => {
      const given = args.map((arg) => arg(frame));
      if (spread) given.push(...spreadOf(spread(frame)));
      const keywords: Keywords = new Map();
      for (const [name, value] of named) keywords.set(name, value(frame));
      if (keywordSpread) addKeywords(keywords, keywordSpread(frame));
      return { given, keywords: keywords.size > 0 ? keywords : undefined };
    };
  }

  /** @param caller creates the `caller` of a call block */
  protected call(node: Call, place: Place, caller?: (frame: Frame) => Macro): Evaluate {
    const args = this.arguments(node, place) ?? (() => ({ given: [] as Value[], keywords: undefined as Keywords | undefined }));
    const { callee, line } = node;
    if (caller) {
      const evaluate = this.expression(callee, place);
      return (frame) => {
        const own = caller(frame);
        const value = evaluate(frame);
        const { given, keywords } = args(frame);
        frame.run.line = line;
        return call(value, given, new Map([...(keywords ?? []), ["caller", own]]));
      };
    }
    if (callee.type === "GetAttribute") {
      const object = this.expression(callee.object, place);
      const { attribute } = callee;
      const { environment } = this;
      return (frame) => {
        const value = object(frame);
        // Most calls are method calls, which do not need a function object.
        if (environment.hasMethod(value, attribute)) {
          const { given, keywords } = args(frame);
          return environment.callMethod(value, attribute, given, keywords);
        }
        const found = environment.attribute(value, attribute);
        const { given, keywords } = args(frame);
        return call(found, given, keywords);
      };
    }
    const evaluate = this.expression(callee, place);
    return (frame) => {
      const value = evaluate(frame);
      const { given, keywords } = args(frame);
      return call(value, given, keywords);
    };
  }
}

function comparer(operator: Comparison): (a: Value, b: Value) => boolean {
  switch (operator) {
    case "==":
      return equal;
    case "!=":
      return (a, b) => !equal(a, b);
    case "in":
      return (a, b) => contains(b, a);
    case "not in":
      return (a, b) => !contains(b, a);
    default:
      return (a, b) => ordered(operator, a, b);
  }
}

function spreadOf(value: Value): Value[] {
  try {
    return listOf(value);
  } catch (error) {
    if (error instanceof JinjaError && error.kind === "TypeError")
      throw typeError(`argument after * must be an iterable, not ${typeName(value)}`);
    throw error;
  }
}

function addKeywords(keywords: Keywords, value: Value): void {
  if (value instanceof Undefined) value.fail();
  if (!(value instanceof Dict)) throw typeError(`argument after ** must be a mapping, not ${typeName(value)}`);
  for (const [key, item] of value.items()) {
    if (typeof key !== "string") throw typeError("keywords must be strings");
    if (keywords.has(key)) throw typeError(`got multiple values for keyword argument '${key}'`);
    keywords.set(key, item);
  }
}
