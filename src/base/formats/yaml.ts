/**
 * YAML from files, within limits. An alias stands for the whole value of its anchor, so nine lines of nested aliases
 * can expand to millions of values, and an alias inside its own anchor never ends: the expanded size is counted before
 * any value is created.
 */
import {
  type Alias,
  type Document,
  isAlias,
  isCollection,
  isNode,
  isPair,
  isScalar,
  Lexer,
  type Node,
  parseDocument,
} from "yaml";
import { InputError } from "../errors";
import { readInputText } from "../files/inputFiles";
import { printable } from "../terminal/printable";
import { shortened } from "../values";

/** Bytes. Parsing takes about a second for each MiB. */
const MAX_BYTES = 2 ** 20;
/** Levels of lists and objects. */
const MAX_DEPTH = 100;
/** Keys and values of a document, with every alias written out. */
const MAX_NODES = 100_000;

/**
 * Reads a YAML (or JSON) file of one document. Anchors, aliases and merge keys (`<<`) work as in PyYAML; a key that
 * occurs twice and a tag that YAML 1.2 does not define are errors.
 *
 * @param expected what the file should be, such as "a configuration"
 * @throws InputError when the file cannot be read or is not YAML of that kind, naming the file
 */
export function readYaml(path: string, expected: string): unknown {
  return parseYaml(readYamlText(path, expected), path);
}

/** The text of a YAML file, for a caller that looks at it before it is parsed. */
export function readYamlText(path: string, expected: string): string {
  return readInputText(path, expected, { maxBytes: MAX_BYTES });
}

/** Parses YAML. `place` is the file's name, for messages. */
export function parseYaml(text: string, place: string): unknown {
  const fault = (found: string): InputError => {
    return new InputError(`Expected YAML in ${place} but received: ${printable(found.trimEnd())}`);
  };
  try {
    expectFewLevels(text, fault);
    // Duplicate keys are found below: the library's own search takes quadratic time.
    const document = parseDocument(text, { uniqueKeys: false, merge: true, logLevel: "error" });
    const problem = document.errors[0] ?? document.warnings.find(({ code }) => code === "TAG_RESOLVE_FAILED");
    if (problem) throw fault(messageOf(problem.message));
    new Measurer(document, (found, node) => fault(`${found}${lineOf(text, node)}`)).expectModest();
    return document.toJS({ maxAliasCount: -1 }) as unknown;
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw fault(error instanceof RangeError ? "lists and objects nested too deeply" : (error as Error).message);
  }
}

/** How many levels a token opens. */
const BRACKETS: ReadonlyMap<string, number> = new Map([
  ["[", 1],
  ["{", 1],
  ["]", -1],
  ["}", -1],
]);

/**
 * Counts levels before parsing, from brackets, indentation and the indicators `-` and `?`. The parser calls itself for
 * each level, and V8 aborts the process where a regular expression is compiled with little of the stack left.
 */
function expectFewLevels(text: string, fault: (found: string) => InputError): void {
  const indents: number[] = [];
  let [open, line, column, isFirst] = [0, 1, 0, true];
  for (const token of new Lexer().lex(text)) {
    if (token === "\n" || token === "\r\n") {
      [line, column, isFirst] = [line + 1, 0, true];
      continue;
    }
    const bracket = BRACKETS.get(token) ?? 0;
    open += bracket;
    const isBlank = token.trim() === "";
    if (bracket === 0 && open <= 0 && (token === "-" || token === "?" || (isFirst && !isBlank))) {
      while (indents.length > 0 && indents.at(-1)! >= column) indents.pop();
      indents.push(column);
    }
    isFirst &&= isBlank;
    if (open + indents.length > MAX_DEPTH) throw fault(`more than ${MAX_DEPTH} levels of lists and objects (line ${line})`);
    column += token.length;
    line += token.split("\n").length - 1;
  }
}

function lineOf(text: string, node: unknown): string {
  if (!isNode(node) || !node.range) return "";
  return ` (line ${text.slice(0, node.range[0]).split("\n").length})`;
}

/** A message of the parser, whose excerpt of the file may be long. */
function messageOf(message: string): string {
  if (message.startsWith("Maximum call stack")) return "lists and objects nested too deeply";
  return shortened(message, 400);
}

/** Counts a document's nodes as if every alias were written out, each anchor once. */
class Measurer {
  /** Nodes under each anchored node; NaN while they are being counted. */
  private readonly sizes = new Map<Node, number>();
  private readonly anchors = new Map<string, Node>();

  constructor(
    private readonly document: Document.Parsed,
    private readonly fault: (found: string, node: unknown) => InputError,
  ) {}

  expectModest(): void {
    this.sizeOf(this.document.contents, 0);
  }

  private sizeOf(node: unknown, depth: number): number {
    if (depth > MAX_DEPTH) throw this.fault(`more than ${MAX_DEPTH} levels of lists and objects`, node);
    if (!isNode(node)) return 1;
    if (isAlias(node)) return this.sizeOfAlias(node);
    const { anchor } = node as { anchor?: string };
    if (anchor !== undefined) this.anchors.set(anchor, node);
    this.sizes.set(node, NaN);
    const size = isCollection(node) ? this.sizeOfItems(node, depth) : 1;
    this.sizes.set(node, size);
    return size;
  }

  private sizeOfAlias(alias: Alias): number {
    const target = this.anchors.get(alias.source);
    if (!target) throw this.fault(`the alias *${alias.source} without an anchor before it`, alias);
    const size = this.sizes.get(target)!;
    if (Number.isNaN(size)) throw this.fault(`the alias *${alias.source} inside what it stands for`, alias);
    return size;
  }

  private sizeOfItems(collection: { readonly items: readonly unknown[] }, depth: number): number {
    const keys = new Set<unknown>();
    let size = 1;
    for (const item of collection.items) {
      if (isPair(item)) {
        const key = isScalar(item.key) ? item.key.value : item.key;
        if (keys.has(key) && key !== "<<") throw this.fault(`the key '${String(key).slice(0, 100)}' twice`, item.key);
        keys.add(key);
        size += this.sizeOf(item.key, depth + 1) + this.sizeOf(item.value, depth + 1);
      } else size += this.sizeOf(item, depth + 1);
      if (size > MAX_NODES) throw this.fault(`more than ${MAX_NODES} values, with every alias written out`, collection);
    }
    return size;
  }
}
