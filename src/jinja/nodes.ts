/** The syntax tree of a template, as in jinja2/nodes.py. Every node has its line. */
import type { Value } from "./values";

interface At {
  readonly line: number;
}

export interface Name extends At {
  readonly type: "Name";
  readonly name: string;
  /** Whether it is read, assigned, or a parameter. */
  readonly context: "load" | "store" | "param";
}

/** `name.attribute` as the target of an assignment. */
export interface NamespaceRef extends At {
  readonly type: "NamespaceRef";
  readonly name: string;
  readonly attribute: string;
}

export interface Const extends At {
  readonly type: "Const";
  readonly value: Value;
}

export interface TupleNode extends At {
  readonly type: "Tuple";
  readonly items: readonly Expression[];
}

export interface List extends At {
  readonly type: "List";
  readonly items: readonly Expression[];
}

export interface DictNode extends At {
  readonly type: "Dict";
  readonly items: readonly { readonly key: Expression; readonly value: Expression }[];
}

export interface Conditional extends At {
  readonly type: "Conditional";
  readonly test: Expression;
  readonly then: Expression;
  readonly otherwise: Expression | undefined;
}

export interface Binary extends At {
  readonly type: "Binary";
  readonly operator: "+" | "-" | "*" | "/" | "//" | "%" | "**";
  readonly left: Expression;
  readonly right: Expression;
}

export interface Logical extends At {
  readonly type: "And" | "Or";
  readonly left: Expression;
  readonly right: Expression;
}

export interface Unary extends At {
  readonly type: "Unary";
  readonly operator: "-" | "+" | "not";
  readonly operand: Expression;
}

export type Comparison = "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in";

export interface Compare extends At {
  readonly type: "Compare";
  readonly left: Expression;
  readonly operands: readonly { readonly operator: Comparison; readonly right: Expression }[];
}

export interface Concat extends At {
  readonly type: "Concat";
  readonly items: readonly Expression[];
}

export interface GetAttribute extends At {
  readonly type: "GetAttribute";
  readonly object: Expression;
  readonly attribute: string;
}

export interface GetItem extends At {
  readonly type: "GetItem";
  readonly object: Expression;
  readonly key: Expression;
}

export interface Slice extends At {
  readonly type: "Slice";
  readonly start: Expression | undefined;
  readonly stop: Expression | undefined;
  readonly step: Expression | undefined;
}

export interface Arguments {
  readonly args: readonly Expression[];
  readonly keywords: readonly { readonly name: string; readonly value: Expression }[];
  /** `*args`. */
  readonly spread: Expression | undefined;
  /** `**keywords`. */
  readonly keywordSpread: Expression | undefined;
}

export interface Call extends At, Arguments {
  readonly type: "Call";
  readonly callee: Expression;
}

export interface Filter extends At, Arguments {
  readonly type: "Filter";
  /** Undefined in a filter block, where it is the block's text. */
  readonly operand: Expression | undefined;
  readonly name: string;
}

export interface Test extends At, Arguments {
  readonly type: "Test";
  readonly operand: Expression;
  readonly name: string;
}

export type Expression =
  | Name
  | NamespaceRef
  | Const
  | TupleNode
  | List
  | DictNode
  | Conditional
  | Binary
  | Logical
  | Unary
  | Compare
  | Concat
  | GetAttribute
  | GetItem
  | Slice
  | Call
  | Filter
  | Test;

export interface Data extends At {
  readonly type: "Data";
  readonly text: string;
}

export interface Output extends At {
  readonly type: "Output";
  readonly items: readonly (Data | Expression)[];
}

export interface For extends At {
  readonly type: "For";
  readonly target: Expression;
  readonly iterable: Expression;
  readonly body: readonly Statement[];
  readonly otherwise: readonly Statement[];
  readonly test: Expression | undefined;
  readonly isRecursive: boolean;
}

export interface If extends At {
  readonly type: "If";
  readonly test: Expression;
  readonly body: readonly Statement[];
  readonly elifs: readonly If[];
  readonly otherwise: readonly Statement[];
}

/** What macros and call blocks share. */
export interface Signature {
  readonly params: readonly Name[];
  /** Defaults of the last parameters. */
  readonly defaults: readonly Expression[];
  readonly body: readonly Statement[];
}

export interface Macro extends At, Signature {
  readonly type: "Macro";
  readonly name: string;
}

export interface CallBlock extends At, Signature {
  readonly type: "CallBlock";
  readonly call: Call;
}

/** `{% generation %}`: text written by the assistant. */
export interface Generation extends At, Signature {
  readonly type: "Generation";
}

export interface FilterBlock extends At {
  readonly type: "FilterBlock";
  readonly filter: Filter;
  readonly body: readonly Statement[];
}

export interface With extends At {
  readonly type: "With";
  readonly targets: readonly Expression[];
  readonly values: readonly Expression[];
  readonly body: readonly Statement[];
}

export interface Block extends At {
  readonly type: "Block";
  readonly name: string;
  readonly isScoped: boolean;
  readonly isRequired: boolean;
  readonly body: readonly Statement[];
}

export interface Assign extends At {
  readonly type: "Assign";
  readonly target: Expression;
  readonly value: Expression;
}

export interface AssignBlock extends At {
  readonly type: "AssignBlock";
  readonly target: Expression;
  readonly filter: Filter | undefined;
  readonly body: readonly Statement[];
}

/** `{% autoescape %}`, whose body has its own scope. */
export interface Scope extends At {
  readonly type: "Scope";
  readonly body: readonly Statement[];
}

export interface Jump extends At {
  readonly type: "Break" | "Continue";
}

export type Statement =
  | Output
  | For
  | If
  | Macro
  | CallBlock
  | Generation
  | FilterBlock
  | With
  | Block
  | Assign
  | AssignBlock
  | Scope
  | Jump;

export type Node = Statement | Expression | Data;

function* argumentNodes(node: Arguments): Generator<Node> {
  yield* node.args;
  for (const { value } of node.keywords) yield value;
  if (node.spread) yield node.spread;
  if (node.keywordSpread) yield node.keywordSpread;
}

/** The child nodes of a node, in Jinja2's order, on which the search for `caller` and the like depends. */
export function* childrenOf(node: Node): Generator<Node> {
  switch (node.type) {
    case "Tuple":
    case "List":
    case "Concat":
    case "Output":
      yield* node.items;
      break;
    case "Dict":
      for (const { key, value } of node.items) {
        yield key;
        yield value;
      }
      break;
    case "Conditional":
      yield node.test;
      yield node.then;
      if (node.otherwise) yield node.otherwise;
      break;
    case "Binary":
    case "And":
    case "Or":
      yield node.left;
      yield node.right;
      break;
    case "Unary":
      yield node.operand;
      break;
    case "Compare":
      yield node.left;
      for (const { right } of node.operands) yield right;
      break;
    case "GetAttribute":
      yield node.object;
      break;
    case "GetItem":
      yield node.object;
      yield node.key;
      break;
    case "Slice":
      for (const each of [node.start, node.stop, node.step]) if (each) yield each;
      break;
    case "Call":
      yield node.callee;
      yield* argumentNodes(node);
      break;
    case "Filter":
    case "Test":
      if (node.operand) yield node.operand;
      yield* argumentNodes(node);
      break;
    case "For":
      yield node.target;
      yield node.iterable;
      yield* node.body;
      yield* node.otherwise;
      if (node.test) yield node.test;
      break;
    case "If":
      yield node.test;
      yield* node.body;
      yield* node.elifs;
      yield* node.otherwise;
      break;
    case "Macro":
    case "Generation":
      yield* node.params;
      yield* node.defaults;
      yield* node.body;
      break;
    case "CallBlock":
      yield node.call;
      yield* node.params;
      yield* node.defaults;
      yield* node.body;
      break;
    case "FilterBlock":
      yield* node.body;
      yield node.filter;
      break;
    case "With":
      yield* node.targets;
      yield* node.values;
      yield* node.body;
      break;
    case "Block":
    case "Scope":
      yield* node.body;
      break;
    case "Assign":
      yield node.target;
      yield node.value;
      break;
    case "AssignBlock":
      yield node.target;
      if (node.filter) yield node.filter;
      yield* node.body;
      break;
  }
}
