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

/** The nodes of a type. */
type Of<Type, Each = Node> = Each extends { readonly type: infer Own } ? (Type extends Own ? Each : never) : never;

const given = <T extends Node>(nodes: readonly (T | undefined)[]): T[] => nodes.filter((node) => node !== undefined);

const argumentsOf = (node: Arguments): Node[] => [
  ...node.args,
  ...node.keywords.map(({ value }) => value),
  ...given([node.spread, node.keywordSpread]),
];

const items = (node: { readonly items: readonly Node[] }): readonly Node[] => node.items;
const body = (node: { readonly body: readonly Node[] }): readonly Node[] => node.body;
const sides = ({ left, right }: Binary | Logical): Node[] => [left, right];
const applied = (node: Filter | Test): Node[] => [...given([node.operand]), ...argumentsOf(node)];
const signed = ({ params, defaults, body }: Signature): Node[] => [...params, ...defaults, ...body];
const none = (): Node[] => [];

const CHILDREN: { readonly [Type in Node["type"]]: (node: Of<Type>) => readonly Node[] } = {
  Name: none,
  NamespaceRef: none,
  Const: none,
  Tuple: items,
  List: items,
  Dict: (node) => node.items.flatMap(({ key, value }) => [key, value]),
  Conditional: (node) => [node.test, node.then, ...given([node.otherwise])],
  Binary: sides,
  And: sides,
  Or: sides,
  Unary: (node) => [node.operand],
  Compare: (node) => [node.left, ...node.operands.map(({ right }) => right)],
  Concat: items,
  GetAttribute: (node) => [node.object],
  GetItem: (node) => [node.object, node.key],
  Slice: (node) => given([node.start, node.stop, node.step]),
  Call: (node) => [node.callee, ...argumentsOf(node)],
  Filter: applied,
  Test: applied,
  Data: none,
  Output: items,
  For: (node) => [node.target, node.iterable, ...node.body, ...node.otherwise, ...given([node.test])],
  If: (node) => [node.test, ...node.body, ...node.elifs, ...node.otherwise],
  Macro: signed,
  CallBlock: (node) => [node.call, ...signed(node)],
  Generation: signed,
  FilterBlock: (node) => [...node.body, node.filter],
  With: (node) => [...node.targets, ...node.values, ...node.body],
  Block: body,
  Assign: (node) => [node.target, node.value],
  AssignBlock: (node) => [node.target, ...given([node.filter]), ...node.body],
  Scope: body,
  Break: none,
  Continue: none,
};

/** The child nodes of a node, in Jinja2's order, on which the search for `caller` and the like depends. */
export function childrenOf(node: Node): readonly Node[] {
  return (CHILDREN[node.type] as (node: Node) => readonly Node[])(node);
}
