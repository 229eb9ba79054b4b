/** Resolves names to variables and scopes, like jinja2/idtracking.py. */
import { childrenOf, type Node, type Statement } from "./nodes";

/** The variables of one function: the template, a macro, a recursive loop, a block. */
export class FunctionScope {
  private readonly variables = new Map<string, Variable>();

  constructor(readonly parent: FunctionScope | undefined) {}

  variable(name: string, level: number): Variable {
    const identifier = `${level} ${name}`;
    let variable = this.variables.get(identifier);
    if (!variable) {
      variable = { scope: this, slot: this.variables.size };
      this.variables.set(identifier, variable);
    }
    return variable;
  }

  get size(): number {
    return this.variables.size;
  }

  /** How many functions out an enclosing function is. */
  distanceTo(outer: FunctionScope): number {
    let distance = 0;
    for (let scope: FunctionScope | undefined = this; scope !== outer; scope = scope.parent) {
      if (scope === undefined) throw new Error("a variable of a function that is not around this one");
      distance++;
    }
    return distance;
  }
}

export interface Variable {
  readonly scope: FunctionScope;
  readonly slot: number;
}

/** How a variable is initialised at the start of its scope. */
export type Load =
  | { readonly kind: "parameter" }
  | { readonly kind: "undefined" }
  | { readonly kind: "resolve"; readonly name: string }
  | { readonly kind: "alias"; readonly variable: Variable };

export class Symbols {
  readonly level: number;
  readonly loads: Map<Variable, Load>;
  readonly stores: Set<string>;
  private readonly variables: Map<string, Variable>;

  constructor(
    readonly scope: FunctionScope,
    readonly parent: Symbols | undefined,
    from?: Symbols,
  ) {
    this.level = from?.level ?? (parent ? parent.level + 1 : 0);
    this.variables = new Map(from?.variables);
    this.loads = new Map(from?.loads);
    this.stores = new Set(from?.stores);
  }

  copy(): Symbols {
    return new Symbols(this.scope, this.parent, this);
  }

  private define(name: string, load: Load): Variable {
    const variable = this.scope.variable(name, this.level);
    this.variables.set(name, variable);
    this.loads.set(variable, load);
    return variable;
  }

  find(name: string): Variable | undefined {
    return this.variables.get(name) ?? this.parent?.find(name);
  }

  get(name: string): Variable {
    const variable = this.find(name);
    if (!variable) throw new Error(`the name ${name} has no variable`);
    return variable;
  }

  declareParameter(name: string): Variable {
    this.stores.add(name);
    return this.define(name, { kind: "parameter" });
  }

  store(name: string): void {
    this.stores.add(name);
    if (this.variables.has(name)) return;
    const outer = this.parent?.find(name);
    this.define(name, outer ? { kind: "alias", variable: outer } : { kind: "undefined" });
  }

  load(name: string): void {
    if (this.find(name) === undefined) this.define(name, { kind: "resolve", name });
  }

  private mergeBranches(branches: readonly Symbols[]): void {
    const stored = new Set(branches.flatMap(({ stores }) => [...stores]));
    for (const name of this.stores) stored.delete(name);
    for (const branch of branches) {
      for (const [name, variable] of branch.variables) this.variables.set(name, variable);
      for (const [variable, load] of branch.loads) this.loads.set(variable, load);
      for (const name of branch.stores) this.stores.add(name);
    }
    for (const name of stored) {
      const outer = this.parent?.find(name);
      this.loads.set(this.get(name), outer ? { kind: "alias", variable: outer } : { kind: "resolve", name });
    }
  }

  /** All names stored here or in enclosing scopes, with their variables. */
  allStores(): Map<string, Variable> {
    const found = new Map<string, Variable>();
    for (let symbols: Symbols | undefined = this; symbols; symbols = symbols.parent)
      for (const name of symbols.stores) if (!found.has(name)) found.set(name, this.get(name));
    return found;
  }

  /** Finds the names of the scope of a node. */
  analyze(
    node: Statement | { readonly type: "Template"; readonly body: readonly Statement[] },
    branch: "body" | "else" | "test" = "body",
  ): void {
    switch (node.type) {
      case "For":
        if (branch !== "else") this.visit(node.target, true);
        if (branch === "test") {
          if (node.test) this.visit(node.test);
        } else for (const each of branch === "body" ? node.body : node.otherwise) this.visit(each);
        break;
      case "With":
        for (const each of [...node.targets, ...node.body]) this.visit(each);
        break;
      case "CallBlock":
      case "Generation":
        for (const each of [...node.params, ...node.defaults, ...node.body]) this.visit(each);
        break;
      case "AssignBlock":
      case "Template":
        for (const each of node.body) this.visit(each);
        break;
      default:
        for (const each of childrenOf(node)) this.visit(each);
    }
  }

  /** Finds the names of this scope in a node, not those of nested scopes. */
  private visit(node: Node, isParameter = false): void {
    switch (node.type) {
      case "Name":
        if (isParameter || node.context === "param") this.declareParameter(node.name);
        else if (node.context === "store") this.store(node.name);
        else this.load(node.name);
        break;
      case "NamespaceRef":
        this.load(node.name);
        break;
      case "If": {
        this.visit(node.test, isParameter);
        const branch = (nodes: readonly Node[]) => {
          const symbols = this.copy();
          for (const each of nodes) symbols.visit(each, isParameter);
          return symbols;
        };
        this.mergeBranches([branch(node.body), branch(node.elifs), branch(node.otherwise)]);
        break;
      }
      case "Macro":
        this.store(node.name);
        break;
      case "Assign":
        this.visit(node.value, isParameter);
        this.visit(node.target, isParameter);
        break;
      case "For":
        this.visit(node.iterable, isParameter);
        break;
      case "CallBlock":
        this.visit(node.call, isParameter);
        break;
      case "FilterBlock":
        this.visit(node.filter, isParameter);
        break;
      case "With":
        for (const each of node.values) this.visit(each);
        break;
      case "AssignBlock":
        this.visit(node.target, isParameter);
        break;
      case "Scope":
      case "Block":
      case "Generation":
        break;
      default:
        for (const each of childrenOf(node)) this.visit(each, isParameter);
    }
  }
}

/** Those of `names` that are read in the nodes before they are assigned, including nested scopes but not blocks. */
export function findUndeclared(nodes: Iterable<Node>, names: readonly string[]): Set<string> {
  const left = new Set(names);
  const found = new Set<string>();
  const visit = (node: Node): void => {
    if (node.type === "Block") return;
    if (node.type === "Name") {
      if (node.context === "load" && left.has(node.name)) found.add(node.name);
      else left.delete(node.name);
    } else for (const each of childrenOf(node)) visit(each);
  };
  for (const node of nodes) visit(node);
  return found;
}
