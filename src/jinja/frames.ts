/** What compiled templates run on, frames with variables and the output; and the context that code is compiled in. */
import { limits } from "./limits";
import { FunctionScope, Symbols } from "./symbols";
import type { Value } from "./values";

/** The output so far. */
export class Printed {
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
export class Context {
  readonly variables = new Map<string, Value>();

  constructor(readonly outer: ReadonlyMap<string, Value>) {}

  resolve(name: string): Value | undefined {
    return this.variables.has(name) ? this.variables.get(name) : this.outer.get(name);
  }
}

/** One call of a function: its local variables. */
export class Frame {
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

/** How a statement ends. */
export enum Flow {
  Next,
  Break,
  Continue,
}

export type Evaluate = (frame: Frame) => Value;
export type Execute = (frame: Frame, out: Printed) => Flow;
export type Store = (frame: Frame, value: Value) => void;

/** The context that code is compiled in. */
export interface Place {
  readonly symbols: Symbols;
  /** Whether it is outside of all loops, macros and blocks. */
  readonly isTop: boolean;
  /** Whether it is in an `if`, where an unknown filter is only an error when it runs. */
  readonly isSoft: boolean;
  /** Whether it is in a loop, so that `break` and `continue` are allowed. */
  readonly isInLoop: boolean;
}

/** The context of a scope within another context. */
export function inner(place: Place, symbols = new Symbols(place.symbols.scope, place.symbols)): Place {
  return { symbols, isTop: false, isSoft: false, isInLoop: place.isInLoop };
}

/** The context of a function within another context. */
export function functionIn(place: Place): Place {
  const scope = new FunctionScope(place.symbols.scope);
  return { symbols: new Symbols(scope, place.symbols), isTop: false, isSoft: false, isInLoop: false };
}

/** Renders a template with variables. @returns the text; `run` holds everything else */
export type Program = (variables: ReadonlyMap<string, Value>, run: Run) => string;

/** A new rendering. */
export function newRun(): Run {
  return { root: new Printed(), line: 1, generated: [] };
}
