/**
 * Compiles a template into closures, with the scopes of jinja2/compiler.py: the Python functions and local variables that
 * Jinja2 generates are {@link FunctionScope}s and slots here.
 */
import type { Environment } from "./environment";
import { JinjaError, typeError } from "./errors";
import { ExpressionCompiler } from "./expressions";
import {
  Context,
  type Execute,
  Flow,
  Frame,
  functionIn,
  inner,
  type Place,
  Printed,
  type Program,
  type Run,
  type Store,
} from "./frames";
import { limits } from "./limits";
import type {
  Assign,
  AssignBlock,
  Block,
  CallBlock,
  Data,
  Expression,
  FilterBlock,
  For,
  Generation,
  If,
  Macro as MacroNode,
  Node,
  Output,
  Signature,
  Statement,
  With,
} from "./nodes";
import { childrenOf } from "./nodes";
import { str } from "./print";
import { BlockReference, LoopContext, Macro, Namespace, TemplateReference, unpack } from "./runtime";
import { FunctionScope, findUndeclared, Symbols } from "./symbols";
import { Dict, Iter, iterate, sizeOf, textOf, typeName, type Value } from "./values";

/** Local constants, which cost no look-up in another module. */
const { Next: NEXT, Break: BREAK, Continue: CONTINUE } = Flow;

/** @throws JinjaError TemplateAssertionError, with the line */
export function compile(body: readonly Statement[], environment: Environment): Program {
  return new Compiler(environment).template(body);
}

class Compiler extends ExpressionCompiler {
  private readonly blocks = new Map<string, (context: Context, run: Run, out: Printed) => void>();
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
      if (parent) frame.slots[parent.slot] = this.environment.undefinedBecause(`there is no parent block called '${node.name}'.`);
      enter(frame);
      statements(frame, out);
    };
  }

  // Variables

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
    if (all.length === 0) return () => NEXT;
    if (all.length === 1) return all[0]!;
    return (frame, out) => {
      for (const execute of all) {
        const flow = execute(frame, out);
        if (flow !== NEXT) return flow;
      }
      return NEXT;
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
          if (flow === NEXT) leave(frame);
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
        const flow = node.type === "Break" ? BREAK : CONTINUE;
        return () => flow;
      }
    }
  }

  private output(node: Output, place: Place): Execute {
    const parts: Execute[] = node.items.map((item) => this.printed(item, place));
    if (parts.length === 1) return parts[0]!;
    return (frame, out) => {
      for (const print of parts) print(frame, out);
      return NEXT;
    };
  }

  private printed(item: Data | Expression, place: Place): Execute {
    if (item.type === "Data") {
      const { text } = item;
      return (_frame, out) => {
        out.write(text);
        return NEXT;
      };
    }
    const evaluate = this.expression(item, place);
    const { line } = item;
    return (frame, out) => {
      frame.run.line = line;
      const value = evaluate(frame);
      out.write(typeof value === "string" ? value : str(value));
      return NEXT;
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
        if (flow === NEXT) isEmpty = false; // as in Jinja2, where break and continue skip this
        return flow;
      };
      if (loopVariable) {
        const context = new LoopContext(this.environment, values, recurse, depth);
        for (let item = context.next(); item !== undefined; item = context.next()) if (iterate_(item, context) === BREAK) break;
      } else {
        for (const item of iterate(values)) if (iterate_(item, undefined) === BREAK) break;
      }
      leave(frame);
      if (!hasElse || !isEmpty) return NEXT;
      enterElse(frame);
      const flow = otherwise(frame, out);
      if (flow === NEXT) leaveElse(frame);
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
      return NEXT;
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
      return NEXT;
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
      if (flow !== NEXT) return flow;
      frame.run.line = line;
      const value = filter ? filter(frame, printed.text) : printed.text;
      store(frame, value);
      leave(frame);
      return NEXT;
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
      if (flow !== NEXT) return flow;
      frame.run.line = line;
      out.write(onlyText(filter(frame, printed.text)));
      leave(frame);
      return NEXT;
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
      if (flow === NEXT) leave(frame);
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
      return NEXT;
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
          frame.slots[slot] = value ? value(frame) : this.environment.undefinedBecause(`parameter '${param}' was not provided`);
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
      return NEXT;
    };
  }

  private callBlock(node: CallBlock, place: Place): Execute {
    const make = this.function(node, place);
    const evaluate = this.call(node.call, place, make);
    const { line } = node;
    return (frame, out) => {
      frame.run.line = line;
      out.write(onlyText(evaluate(frame)));
      return NEXT;
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
      return NEXT;
    };
  }
}

/** A filter block or call block must produce a string: Jinja2 joins it without conversion. */
function onlyText(value: Value): string {
  const text = textOf(value);
  if (text === undefined) throw typeError(`sequence item 0: expected str instance, ${typeName(value)} found`);
  return text;
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
