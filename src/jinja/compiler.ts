/**
 * Compiles a template into closures, with the scopes of jinja2/compiler.py: the Python functions and local variables that
 * Jinja2 generates are {@link FunctionScope}s and slots here.
 */
import { contains, equal, ordered } from "./compare";
import { type Environment, call } from "./environment";
import { JinjaError, typeError, unsupported } from "./errors";
import { limits, tooDeep } from "./limits";
import type {
  Arguments,
  Assign,
  AssignBlock,
  Block,
  Call,
  CallBlock,
  Comparison,
  Data,
  Expression,
  Filter,
  FilterBlock,
  For,
  Generation,
  If,
  Macro as MacroNode,
  Node,
  Output,
  Signature,
  Statement,
  Test,
  With,
} from "./nodes";
import { childrenOf } from "./nodes";
import { binary, slice, unary } from "./operators";
import { str } from "./print";
import { BlockReference, LoopContext, Macro, Namespace, TemplateReference, unpack } from "./runtime";
import { FunctionScope, Symbols, type Variable, findUndeclared } from "./symbols";
import {
  Dict,
  Iter,
  type Keywords,
  Tuple,
  Undefined,
  type Value,
  isTrue,
  iterate,
  listOf,
  sizeOf,
  textOf,
  typeName,
} from "./values";

/** Maximum nesting of expressions, such as the terms of a sum. */
const MOST_LEVELS = 500;

/** The output so far. */
class Printed {
  text = "";

  write(text: string): void {
    this.text += text;
    limits.text(this.text.length);
  }
}

/** One rendering. */
export interface Run {
  readonly root: Printed;
  /** The line of the statement being run. */
  line: number;
  /** Where text of `{% generation %}` blocks begins and ends, in characters. */
  readonly generated: [start: number, end: number][];
}

/** The names that are not local variables: those the caller passed and those set at the template's top level. */
class Context {
  readonly variables = new Map<string, Value>();

  constructor(readonly outer: ReadonlyMap<string, Value>) {}

  resolve(name: string): Value | undefined {
    return this.variables.has(name) ? this.variables.get(name) : this.outer.get(name);
  }
}

/** One call of a function: its local variables. */
class Frame {
  readonly slots: (Value | undefined)[];

  constructor(
    size: number,
    readonly parent: Frame | undefined,
    readonly context: Context,
    readonly run: Run,
  ) {
    this.slots = new Array<Value | undefined>(size);
  }
}

const enum Flow {
  Next,
  Break,
  Continue,
}

type Evaluate = (frame: Frame) => Value;
type Execute = (frame: Frame, out: Printed) => Flow;
type Store = (frame: Frame, value: Value) => void;

/** The context that code is compiled in. */
interface Place {
  readonly symbols: Symbols;
  /** Whether it is outside of all loops, macros and blocks. */
  readonly isTop: boolean;
  /** Whether it is in an `if`, where an unknown filter is only an error when it runs. */
  readonly isSoft: boolean;
  /** Whether it is in a loop, so that `break` and `continue` are allowed. */
  readonly isInLoop: boolean;
}

function inner(place: Place, symbols = new Symbols(place.symbols.scope, place.symbols)): Place {
  return { symbols, isTop: false, isSoft: false, isInLoop: place.isInLoop };
}

/** The context of a function within another context. */
function functionIn(place: Place): Place {
  const scope = new FunctionScope(place.symbols.scope);
  return { symbols: new Symbols(scope, place.symbols), isTop: false, isSoft: false, isInLoop: false };
}

/** Renders a template with variables. @returns the text; `run` holds everything else */
export type Program = (variables: ReadonlyMap<string, Value>, run: Run) => string;

export function newRun(): Run {
  return { root: new Printed(), line: 1, generated: [] };
}

/** @throws JinjaError TemplateAssertionError, with the line */
export function compile(body: readonly Statement[], environment: Environment): Program {
  return new Compiler(environment).template(body);
}

class Compiler {
  private level = 0;
  private readonly blocks = new Map<string, (context: Context, run: Run, out: Printed) => void>();

  constructor(private readonly environment: Environment) {}

  template(body: readonly Statement[]): Program {
    const blocks: Block[] = [];
    const find = (node: Node): void => {
      if (node.type === "Block") {
        if (blocks.some(({ name }) => name === node.name)) this.fail(`block '${node.name}' defined twice`, node.line);
        blocks.push(node);
      }
      for (const each of childrenOf(node)) find(each);
    };
    for (const each of body) find(each);

    const place = this.outermost();
    const self = findUndeclared(body, ["self"]).has("self") ? place.symbols.declareParameter("self") : undefined;
    place.symbols.analyze({ type: "Template", body });
    const enter = this.enter(place);
    const statements = this.statements(body, place);
    for (const block of blocks) this.blocks.set(block.name, this.block(block));
    const { scope } = place.symbols;
    return (variables, run) => {
      const context = new Context(variables);
      const frame = new Frame(scope.size, undefined, context, run);
      if (self) frame.slots[self.slot] = this.reference(context, run);
      enter(frame);
      statements(frame, run.root);
      return run.root.text;
    };
  }

  private outermost(): Place {
    const symbols = new Symbols(new FunctionScope(undefined), undefined);
    return { symbols, isTop: true, isSoft: false, isInLoop: false };
  }

  private fail(
    message: string,
    line: number,
    kind: "TemplateAssertionError" | "TemplateSyntaxError" = "TemplateAssertionError",
  ): never {
    throw new JinjaError(kind, message, line);
  }

  private reference(context: Context, run: Run): TemplateReference {
    return new TemplateReference((name) => {
      const block = this.blocks.get(name);
      if (!block) return undefined;
      return new BlockReference(this.environment, name, () => {
        const out = new Printed();
        block(context, run, out);
        return out.text;
      });
    });
  }

  private block(node: Block): (context: Context, run: Run, out: Printed) => void {
    const place = { ...this.outermost(), isTop: false };
    const undeclared = findUndeclared(node.body, ["self", "super"]);
    const self = undeclared.has("self") ? place.symbols.declareParameter("self") : undefined;
    const parent = undeclared.has("super") ? place.symbols.declareParameter("super") : undefined;
    place.symbols.analyze(node);
    const enter = this.enter(place);
    const statements = this.statements(node.body, place);
    const { scope } = place.symbols;
    return (context, run, out) => {
      const frame = new Frame(scope.size, undefined, context, run);
      if (self) frame.slots[self.slot] = this.reference(context, run);
      if (parent)
        frame.slots[parent.slot] = this.environment.undefinedBecause(`there is no parent block called '${node.name}'.`, "super");
      enter(frame);
      statements(frame, out);
    };
  }

  // Variables

  /** Reads a variable, which may belong to an enclosing function. */
  private read(variable: Variable, { symbols }: Place): (frame: Frame) => Value | undefined {
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

  /** Sets the variables of a scope to their initial values. */
  private enter(place: Place): (frame: Frame) => void {
    const steps: ((frame: Frame) => void)[] = [];
    for (const [{ slot }, load] of place.symbols.loads) {
      if (load.kind === "resolve") steps.push((frame) => void (frame.slots[slot] = frame.context.resolve(load.name)));
      else if (load.kind === "alias") {
        const read = this.read(load.variable, place);
        steps.push((frame) => void (frame.slots[slot] = read(frame)));
      } else if (load.kind === "undefined") steps.push((frame) => void (frame.slots[slot] = undefined));
    }
    if (steps.length === 0) return () => {};
    if (steps.length === 1) return steps[0]!;
    return (frame) => {
      for (const step of steps) step(frame);
    };
  }

  private leave({ symbols }: Place): (frame: Frame) => void {
    const slots = [...symbols.loads.keys()].map(({ slot }) => slot);
    return (frame) => {
      for (const slot of slots) frame.slots[slot] = undefined;
    };
  }

  /** Assigns to the names, tuples and namespaces of a target. */
  private store(target: Expression, place: Place): Store {
    switch (target.type) {
      case "Name": {
        const { slot } = place.symbols.get(target.name);
        const { name } = target;
        if (!place.isTop || target.context !== "store")
          return (frame, value) => {
            frame.slots[slot] = value;
          };
        return (frame, value) => {
          frame.slots[slot] = value;
          frame.context.variables.set(name, value);
        };
      }
      case "NamespaceRef": {
        const read = this.read(place.symbols.get(target.name), place);
        const { attribute } = target;
        return (frame, value) => {
          const object = read(frame);
          // Jinja2 lets a block assignment through to dicts.
          if (!(object instanceof Namespace || object instanceof Dict))
            throw typeError(
              `'${object === undefined ? "MissingType" : typeName(object)}' object does not support item assignment`,
            );
          object.set(attribute, value);
        };
      }
      case "Tuple": {
        const stores = target.items.map((item) => this.store(item, place));
        return (frame, value) => {
          const parts = unpack(value, stores.length);
          stores.forEach((store, i) => store(frame, parts[i]!));
        };
      }
      default:
        throw new Error(`a ${target.type} cannot be assigned to`);
    }
  }

  // Statements

  private statements(nodes: readonly Statement[], place: Place): Execute {
    const all = nodes.map((node) => this.statement(node, place));
    if (all.length === 0) return () => Flow.Next;
    if (all.length === 1) return all[0]!;
    return (frame, out) => {
      for (const execute of all) {
        const flow = execute(frame, out);
        if (flow !== Flow.Next) return flow;
      }
      return Flow.Next;
    };
  }

  private statement(node: Statement, place: Place): Execute {
    switch (node.type) {
      case "Output":
        return this.output(node, place);
      case "If":
        return this.if(node, place);
      case "For":
        return this.for(node, place);
      case "Assign":
        return this.assign(node, place);
      case "AssignBlock":
        return this.assignBlock(node, place);
      case "Macro":
        return this.macro(node, place);
      case "CallBlock":
        return this.callBlock(node, place);
      case "Generation":
        return this.generation(node, place);
      case "FilterBlock":
        return this.filterBlock(node, place);
      case "With":
        return this.with(node, place);
      case "Block":
        return this.blockHere(node, place);
      case "Scope": {
        const scope = inner(place);
        scope.symbols.analyze(node);
        const [enter, body, leave] = [this.enter(scope), this.statements(node.body, scope), this.leave(scope)];
        return (frame, out) => {
          enter(frame);
          const flow = body(frame, out);
          if (flow === Flow.Next) leave(frame);
          return flow;
        };
      }
      case "Break":
      case "Continue": {
        if (!place.isInLoop)
          this.fail(
            node.type === "Break" ? "'break' outside loop" : "'continue' not properly in loop",
            node.line,
            "TemplateSyntaxError",
          );
        const flow = node.type === "Break" ? Flow.Break : Flow.Continue;
        return () => flow;
      }
    }
  }

  private output(node: Output, place: Place): Execute {
    const parts: Execute[] = node.items.map((item) => this.printed(item, place));
    if (parts.length === 1) return parts[0]!;
    return (frame, out) => {
      for (const print of parts) print(frame, out);
      return Flow.Next;
    };
  }

  private printed(item: Data | Expression, place: Place): Execute {
    if (item.type === "Data") {
      const { text } = item;
      return (_frame, out) => {
        out.write(text);
        return Flow.Next;
      };
    }
    const evaluate = this.expression(item, place);
    const { line } = item;
    return (frame, out) => {
      frame.run.line = line;
      const value = evaluate(frame);
      out.write(typeof value === "string" ? value : str(value));
      return Flow.Next;
    };
  }

  private if(node: If, place: Place): Execute {
    const soft: Place = { ...place, isSoft: true };
    const branches = [node, ...node.elifs].map(({ test, body, line }) => ({
      test: this.condition(test, soft),
      body: this.statements(body, soft),
      line,
    }));
    const otherwise = this.statements(node.otherwise, soft);
    return (frame, out) => {
      for (const { test, body, line } of branches) {
        frame.run.line = line;
        if (test(frame)) return body(frame, out);
      }
      return otherwise(frame, out);
    };
  }

  private for(node: For, place: Place): Execute {
    const around = node.isRecursive ? functionIn(place) : inner(place);
    const loopPlace: Place = { ...around, isInLoop: true };
    const elsePlace = node.isRecursive ? inner(place, new Symbols(around.symbols.scope, place.symbols)) : inner(place);
    const isExtended = node.isRecursive || findUndeclared(node.body, ["loop"]).has("loop") || hasScopedBlock(node);
    const loopVariable = isExtended ? loopPlace.symbols.declareParameter("loop") : undefined;
    loopPlace.symbols.analyze(node, "body");
    if (node.otherwise.length > 0) elsePlace.symbols.analyze(node, "else");
    if (assignsLoop(node)) this.fail("Can't assign to special loop variable in for-loop target", node.line);

    const filter = node.test ? this.loopFilter(node, node.test, place) : undefined;
    const store = this.store(node.target, { ...loopPlace, isTop: false });
    const enter = this.enter(loopPlace);
    const leave = this.leave(loopPlace);
    const body = this.statements(node.body, loopPlace);
    // In Jinja2 the `else` of a loop belongs to the enclosing loop.
    const [enterElse, otherwise, leaveElse] = [
      this.enter(elsePlace),
      this.statements(node.otherwise, node.isRecursive ? { ...elsePlace, isInLoop: false } : elsePlace),
      this.leave(elsePlace),
    ];
    const hasElse = node.otherwise.length > 0;
    const iterable = this.expression(node.iterable, place);
    const { line } = node;

    /** Runs the loop over the values, in a frame of its function. */
    const loop = (
      frame: Frame,
      out: Printed,
      values: Value,
      recurse?: (values: Value, depth: number) => Value,
      depth = 0,
    ): Flow => {
      let isEmpty = true;
      const iterate_ = (item: Value, context: LoopContext | undefined): Flow => {
        limits.step();
        store(frame, item);
        if (loopVariable) frame.slots[loopVariable.slot] = context;
        enter(frame);
        const flow = body(frame, out);
        if (flow === Flow.Next) isEmpty = false; // as in Jinja2, where break and continue skip this
        return flow;
      };
      if (loopVariable) {
        const context = new LoopContext(this.environment, values, recurse, depth);
        for (let item = context.next(); item !== undefined; item = context.next())
          if (iterate_(item, context) === Flow.Break) break;
      } else {
        for (const item of iterate(values)) if (iterate_(item, undefined) === Flow.Break) break;
      }
      leave(frame);
      if (!hasElse || !isEmpty) return Flow.Next;
      enterElse(frame);
      const flow = otherwise(frame, out);
      if (flow === Flow.Next) leaveElse(frame);
      return flow;
    };
    const filtered = (frame: Frame, values: Value): Value => {
      const length = textOf(values) === undefined ? 0 : sizeOf(values)!;
      limits.list(length);
      return filter ? filter(frame, values) : values;
    };

    if (!node.isRecursive)
      return (frame, out) => {
        frame.run.line = line;
        return loop(frame, out, filtered(frame, iterable(frame)));
      };
    const { scope } = loopPlace.symbols;
    return (frame, out) => {
      const render = (values: Value, depth: number): string => {
        limits.enter();
        const printed = new Printed();
        const own = new Frame(scope.size, frame, frame.context, frame.run);
        loop(own, printed, filtered(frame, values), render, depth);
        limits.leave();
        return printed.text;
      };
      frame.run.line = line;
      out.write(render(iterable(frame), 0));
      return Flow.Next;
    };
  }

  /** The values that `for … in … if …` iterates over, as lazily as in Jinja2 and with unpacked targets as tuples. */
  private loopFilter(node: For, test: Expression, place: Place): (frame: Frame, values: Value) => Value {
    const testPlace = functionIn(place);
    testPlace.symbols.analyze(node, "test");
    const enter = this.enter(testPlace);
    const store = this.store(node.target, testPlace);
    const load = this.expression(asLoaded(node.target), testPlace);
    const condition = this.condition(test, testPlace);
    const { scope } = testPlace.symbols;
    function* select(outer: Frame, values: Value): Generator<Value> {
      const frame = new Frame(scope.size, outer, outer.context, outer.run);
      enter(frame);
      for (const item of iterate(values)) {
        limits.step();
        store(frame, item);
        if (condition(frame)) yield load(frame);
      }
    }
    return (frame, values) => new Iter(select(frame, values));
  }

  private assign(node: Assign, place: Place): Execute {
    const checks = namespacesIn(node.target).map((name) => this.read(place.symbols.get(name), place));
    const value = this.expression(node.value, place);
    const store = this.store(node.target, place);
    const { line } = node;
    return (frame) => {
      frame.run.line = line;
      for (const read of checks)
        if (!(read(frame) instanceof Namespace))
          throw new JinjaError("TemplateRuntimeError", "cannot assign attribute on non-namespace object");
      store(frame, value(frame));
      return Flow.Next;
    };
  }

  private assignBlock(node: AssignBlock, place: Place): Execute {
    const block = inner(place);
    block.symbols.analyze(node);
    const enter = this.enter(block);
    const body = this.statements(node.body, block);
    const store = this.store(node.target, place);
    const filter = node.filter ? this.filterOf(node.filter, block) : undefined;
    const leave = this.leave(block);
    const { line } = node;
    return (frame) => {
      enter(frame);
      const printed = new Printed();
      const flow = body(frame, printed);
      if (flow !== Flow.Next) return flow;
      frame.run.line = line;
      const value = filter ? filter(frame, printed.text) : printed.text;
      store(frame, value);
      leave(frame);
      return Flow.Next;
    };
  }

  private filterBlock(node: FilterBlock, place: Place): Execute {
    const block = inner(place);
    block.symbols.analyze(node);
    const enter = this.enter(block);
    const body = this.statements(node.body, block);
    const filter = this.filterOf(node.filter, block);
    const leave = this.leave(block);
    const { line } = node;
    return (frame, out) => {
      enter(frame);
      const printed = new Printed();
      const flow = body(frame, printed);
      if (flow !== Flow.Next) return flow;
      frame.run.line = line;
      out.write(onlyText(filter(frame, printed.text)));
      leave(frame);
      return Flow.Next;
    };
  }

  private with(node: With, place: Place): Execute {
    const scope = inner(place);
    scope.symbols.analyze(node);
    const enter = this.enter(scope);
    const values = node.values.map((value) => this.expression(value, place));
    const stores = node.targets.map((target) => this.store(target, scope));
    const body = this.statements(node.body, scope);
    const leave = this.leave(scope);
    const { line } = node;
    return (frame, out) => {
      enter(frame);
      frame.run.line = line;
      stores.forEach((store, i) => store(frame, values[i]!(frame)));
      const flow = body(frame, out);
      if (flow === Flow.Next) leave(frame);
      return flow;
    };
  }

  private blockHere(node: Block, place: Place): Execute {
    const stores = node.isScoped
      ? [...place.symbols.allStores()].map(([name, variable]) => ({ name, read: this.read(variable, place) }))
      : [];
    return (frame, out) => {
      frame.run.line = node.line;
      if (node.isRequired) throw new JinjaError("TemplateRuntimeError", `Required block '${node.name}' not found`);
      let { context } = frame;
      if (node.isScoped) {
        const names = new Map([...context.outer, ...context.variables]);
        for (const { name, read } of stores) {
          const value = read(frame);
          if (value !== undefined) names.set(name, value);
        }
        context = new Context(names);
      }
      limits.enter();
      this.blocks.get(node.name)!(context, frame.run, out);
      limits.leave();
      return Flow.Next;
    };
  }

  /** A macro or call block: creates the function where the statement is. */
  private function(
    node: (Signature & { readonly line: number }) & (MacroNode | CallBlock | Generation),
    place: Place,
  ): (frame: Frame) => Macro {
    const own = functionIn(place);
    const { symbols } = own;
    symbols.analyze(node);
    const names = node.params.map((param) => param.name);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) this.fail(`duplicate argument '${twice}' in function definition`, node.line, "TemplateSyntaxError");
    const undeclared = findUndeclared(node.body, ["caller", "kwargs", "varargs"]);
    const variables = names.map((name) => symbols.get(name));
    const hasCaller = undeclared.has("caller");
    if (hasCaller) {
      const at = names.indexOf("caller");
      if (at < 0) variables.push(symbols.declareParameter("caller"));
      else if (at < names.length - node.defaults.length)
        this.fail(
          'When defining macros or call blocks the special "caller" argument must be omitted or be given a default.',
          node.line,
        );
    }
    const hasKeywords = undeclared.has("kwargs") && !names.includes("kwargs");
    if (hasKeywords) variables.push(symbols.declareParameter("kwargs"));
    const hasVarargs = undeclared.has("varargs") && !names.includes("varargs");
    if (hasVarargs) variables.push(symbols.declareParameter("varargs"));
    symbols.analyze(node);
    const enter = this.enter(own);
    const defaults = names.map((_, i) => {
      const value = node.defaults[i - (names.length - node.defaults.length)];
      return value ? this.expression(value, own) : undefined;
    });
    const body = this.statements(node.body, own);
    const { scope } = symbols;
    const name = node.type === "Macro" ? node.name : undefined;
    const parameters = { names, hasCaller, hasKeywords, hasVarargs };
    const slots = variables.map(({ slot }) => slot);
    return (outer) =>
      new Macro(this.environment, name, parameters, (args) => {
        const { run } = outer;
        const { line } = run;
        const frame = new Frame(scope.size, outer, outer.context, run);
        args.forEach((value, i) => void (frame.slots[slots[i]!] = value));
        enter(frame);
        names.forEach((param, i) => {
          const slot = slots[i]!;
          if (frame.slots[slot] !== undefined) return;
          const value = defaults[i];
          frame.slots[slot] = value
            ? value(frame)
            : this.environment.undefinedBecause(`parameter '${param}' was not provided`, param);
        });
        const printed = new Printed();
        body(frame, printed);
        run.line = line;
        return printed.text;
      });
  }

  private macro(node: MacroNode, place: Place): Execute {
    const make = this.function(node, place);
    const { slot } = place.symbols.get(node.name);
    const { name } = node;
    const { isTop } = place;
    return (frame) => {
      const macro = make(frame);
      frame.slots[slot] = macro;
      if (isTop) frame.context.variables.set(name, macro);
      return Flow.Next;
    };
  }

  private callBlock(node: CallBlock, place: Place): Execute {
    const make = this.function(node, place);
    const evaluate = this.call(node.call, place, make);
    const { line } = node;
    return (frame, out) => {
      frame.run.line = line;
      out.write(onlyText(evaluate(frame)));
      return Flow.Next;
    };
  }

  private generation(node: Generation, place: Place): Execute {
    const make = this.function(node, place);
    return (frame, out) => {
      const { run } = frame;
      const text = make(frame).call([], undefined) as string;
      const start = sizeOf(run.root.text)!;
      run.generated.push([start, start + sizeOf(text)!]);
      out.write(text);
      return Flow.Next;
    };
  }

  // Expressions

  private condition(node: Expression, place: Place): (frame: Frame) => boolean {
    const evaluate = this.expression(node, place);
    return (frame) => {
      const value = evaluate(frame);
      return typeof value === "boolean" ? value : isTrue(value);
    };
  }

  private expression(node: Expression, place: Place): Evaluate {
    if (++this.level > MOST_LEVELS) throw tooDeep();
    const evaluate = this.evaluation(node, place);
    this.level--;
    return evaluate;
  }

  private evaluation(node: Expression, place: Place): Evaluate {
    switch (node.type) {
      case "Const": {
        const { value } = node;
        return () => value;
      }
      case "Name": {
        const { name } = node;
        const { isStrict } = this.environment;
        const read = this.read(place.symbols.get(name), place);
        return (frame) => {
          const value = read(frame);
          return value === undefined ? new Undefined(undefined, undefined, name, "UndefinedError", isStrict) : value;
        };
      }
      case "Tuple": {
        const items = node.items.map((item) => this.expression(item, place));
        return (frame) => new Tuple(items.map((item) => item(frame)));
      }
      case "List": {
        const items = node.items.map((item) => this.expression(item, place));
        return (frame) => items.map((item) => item(frame));
      }
      case "Dict": {
        const items = node.items.map(({ key, value }) => [this.expression(key, place), this.expression(value, place)] as const);
        return (frame) => {
          const dict = new Dict();
          for (const [key, value] of items) dict.set(key(frame), value(frame));
          return dict;
        };
      }
      case "Conditional": {
        const soft: Place = { ...place, isSoft: true };
        const [test, then] = [this.condition(node.test, soft), this.expression(node.then, soft)];
        const hint = `the inline if-expression on line ${node.line} evaluated to false and no else section was defined.`;
        const otherwise = node.otherwise
          ? this.expression(node.otherwise, soft)
          : () => new Undefined(hint, undefined, undefined);
        return (frame) => (test(frame) ? then(frame) : otherwise(frame));
      }
      case "Binary": {
        const [left, right] = [this.expression(node.left, place), this.expression(node.right, place)];
        const { operator } = node;
        return (frame) => binary(operator, left(frame), right(frame));
      }
      case "And": {
        const [left, right] = [this.expression(node.left, place), this.expression(node.right, place)];
        return (frame) => {
          const value = left(frame);
          return isTrue(value) ? right(frame) : value;
        };
      }
      case "Or": {
        const [left, right] = [this.expression(node.left, place), this.expression(node.right, place)];
        return (frame) => {
          const value = left(frame);
          return isTrue(value) ? value : right(frame);
        };
      }
      case "Unary": {
        const { operator } = node;
        if (operator === "not") {
          const test = this.condition(node.operand, place);
          return (frame) => !test(frame);
        }
        const operand = this.expression(node.operand, place);
        return (frame) => unary(operator, operand(frame));
      }
      case "Compare":
        return this.comparison(node, place);
      case "Concat": {
        const items = node.items.map((item) => this.expression(item, place));
        return (frame) => {
          let text = "";
          for (const value of items.map((item) => item(frame))) text += str(value);
          limits.text(text.length);
          return text;
        };
      }
      case "GetAttribute": {
        const object = this.expression(node.object, place);
        const { attribute } = node;
        const { environment } = this;
        return (frame) => environment.attribute(object(frame), attribute);
      }
      case "GetItem": {
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
      case "Call":
        return this.call(node, place);
      case "Filter": {
        const filter = this.applied(node, place, "filter");
        const operand = this.expression(node.operand!, place);
        return (frame) => filter(frame, operand(frame));
      }
      case "Test": {
        const test = this.applied(node, place, "test");
        const operand = this.expression(node.operand, place);
        return (frame) => test(frame, operand(frame));
      }
      case "Slice":
      case "NamespaceRef":
        throw unsupported(`'${node.type}' as an expression`, node.line);
    }
  }

  private comparison(node: Extract<Expression, { type: "Compare" }>, place: Place): Evaluate {
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
  private filterOf(node: Filter, place: Place): (frame: Frame, value: Value) => Value {
    const filter = this.applied(node, place, "filter");
    if (node.operand === undefined) return filter;
    const before = this.filterOf(node.operand as Filter, place);
    return (frame, value) => filter(frame, before(frame, value));
  }

  /** A filter or test with its arguments, to be applied to a value. */
  private applied(node: Filter | Test, place: Place, kind: "filter" | "test"): (frame: Frame, value: Value) => Value {
    const { environment } = this;
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
  private call(node: Call, place: Place, caller?: (frame: Frame) => Macro): Evaluate {
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

/** A filter block or call block must produce a string: Jinja2 joins it without conversion. */
function onlyText(value: Value): string {
  const text = textOf(value);
  if (text === undefined) throw typeError(`sequence item 0: expected str instance, ${typeName(value)} found`);
  return text;
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

/** The expression that reads what was assigned to a target. */
function asLoaded(target: Expression): Expression {
  if (target.type === "Name") return { ...target, context: "load" };
  return target.type === "Tuple" ? { ...target, items: target.items.map(asLoaded) } : target;
}

function namespacesIn(target: Expression): string[] {
  if (target.type === "NamespaceRef") return [target.name];
  return target.type === "Tuple" ? target.items.flatMap(namespacesIn) : [];
}

function hasScopedBlock(node: Node): boolean {
  if (node.type === "Block" && node.isScoped) return true;
  for (const each of childrenOf(node)) if (hasScopedBlock(each)) return true;
  return false;
}

function assignsLoop(node: Node): boolean {
  if (node.type === "Name") return node.context === "store" && node.name === "loop";
  for (const each of childrenOf(node)) if (assignsLoop(each)) return true;
  return false;
}
