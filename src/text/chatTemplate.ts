/**
 * Chat templates: `@huggingface/jinja` made to render what Python's Jinja2 renders in transformers.
 *
 * Where the library follows JavaScript, templates of real models come out differently without an error:
 * `lstrip('\n')` takes off every white space, `None` prints as nothing, `'' == []` holds. The interpreter here
 * overrides those points, see python.ts. templateLimits.ts bounds every rendering: a template is a downloaded program.
 *
 * `{% generation %}` blocks are rendered; the mask of assistant tokens they allow is not made.
 */
import { ChatTemplateError, ChatTemplateLimitError } from "./errors";
import { withinTime } from "../base/timeLimit";
import { shown } from "../base/values";
import { type Value, capitalize, equal, measure, range, strftime, strip, text } from "./python";
import { MOST_SOURCE, TemplateLimits, limitReason } from "./templateLimits";

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** One turn of a conversation. Templates define which further keys there may be (`tool_calls`, `reasoning_content`). */
export interface ChatMessage {
  readonly role: string;
  readonly content?: JsonValue;
  readonly [key: string]: JsonValue | undefined;
}

/** A node of a parsed template. */
export type Node = { readonly type: string; readonly [key: string]: unknown };

/** The part of the library that is used here, whose types its package keeps to itself. */
export interface Jinja {
  Environment: new () => Environment;
  Interpreter: new (environment: Environment) => Interpreter;
  tokenize(source: string, options: { lstrip_blocks: boolean; trim_blocks: boolean }): unknown;
  parse(tokens: unknown): Node;
}

interface Environment {
  readonly variables: Map<string, Value>;
  set(name: string, value: unknown): Value;
}

interface Interpreter {
  run(program: Node): Value;
  evaluate(node: Node | undefined, environment: Environment): Value;
  evaluateBlock(nodes: readonly Node[], environment: Environment): Value;
  applyFilter(operand: Value, filter: Node, environment: Environment): Value;
}

/** What raise_exception throws. */
class Refusal extends Error {}

/** Renders the chat templates of one folder. */
export class ChatRenderer {
  private readonly programs = new Map<string, Node>();

  private constructor(
    private readonly templates: Readonly<Record<string, string>>,
    private readonly places: Readonly<Record<string, string>>,
    private readonly jinja: Jinja,
    private readonly PythonInterpreter: ReturnType<typeof pythonInterpreter>,
  ) {}

  /** `timeLimit`: the longest a template may run, in milliseconds; `places`: where each was read. */
  static async create(
    templates: Readonly<Record<string, string>>,
    { timeLimit = 5_000, places = {} }: { timeLimit?: number; places?: Readonly<Record<string, string>> } = {},
  ): Promise<ChatRenderer> {
    const jinja = (await import("@huggingface/jinja")) as unknown as Jinja;
    return new ChatRenderer(templates, places, jinja, pythonInterpreter(jinja, timeLimit));
  }

  get names(): string[] {
    return Object.keys(this.templates);
  }

  /** Renders the template of that name, or that template, or the folder's own, with these variables. */
  render(template: string | undefined, variables: Readonly<Record<string, JsonValue | undefined>>): string {
    const source = this.choose(template, variables.tools !== null);
    const name = this.names.find((each) => this.templates[each] === source && this.places[each] !== undefined);
    const place = name === undefined ? "" : ` (${this.places[name]})`;
    const program = this.parse(source, place);
    try {
      const environment = new this.jinja.Environment();
      for (const [name, value] of Object.entries({ ...globals, ...variables })) {
        environment.variables.delete(name); // variables win over `namespace`, as they do in Jinja
        environment.set(name, value);
      }
      return text(new this.PythonInterpreter(environment).run(program));
    } catch (error) {
      if (error instanceof ChatTemplateError) throw error;
      const reason = limitReason(error);
      if (reason !== undefined) throw new ChatTemplateLimitError(`The chat template${place} could not be rendered: it ${reason}`);
      const message = messageOf(error);
      if (error instanceof Refusal) throw new ChatTemplateError(`The chat template${place} refuses the conversation: ${message}`);
      throw new ChatTemplateError(`The chat template${place} could not be rendered: ${message}`);
    }
  }

  private choose(template: string | undefined, tools: boolean): string {
    if (template !== undefined) return Object.hasOwn(this.templates, template) ? this.templates[template]! : template;
    const { tool_use: toolUse, default: ordinary } = this.templates;
    const found = tools ? (toolUse ?? ordinary) : ordinary;
    if (found !== undefined) return found;
    throw new ChatTemplateError(
      this.names.length > 0
        ? `Expected a name for 'chatTemplate' but received nothing; there are ${this.names.join(", ")}`
        : "Expected a chat template but the tokenizer has none; give one in 'chatTemplate', or use plain text",
    );
  }

  private parse(template: string, place: string): Node {
    const known = this.programs.get(template);
    if (known) return known;
    let program: Node;
    try {
      const source = template.replace(/\r\n?/g, "\n"); // as Jinja reads it
      program = parseTemplate(this.jinja, source, { lstrip_blocks: true, trim_blocks: true });
    } catch (error) {
      const reason = limitReason(error);
      const message = reason === undefined ? (error as Error).message : `it ${reason}`;
      throw new ChatTemplateError(`Expected a Jinja template${place} but it does not parse: ${message}`);
    }
    this.programs.set(template, program);
    return program;
  }
}

/** The message of an error in a rendering; the library's own TypeErrors describe its code. */
export function messageOf(error: unknown): string {
  return error instanceof TypeError ? "an operation received a value of the wrong type" : (error as Error).message;
}

/** Parses a template within limits of size and time. */
export function parseTemplate(jinja: Jinja, source: string, options: Parameters<Jinja["tokenize"]>[1]): Node {
  if (source.length > MOST_SOURCE)
    throw new Error(`it has ${source.length} characters; the limit is ${MOST_SOURCE}`);
  return withinTime(
    5,
    () => {
      try {
        return jinja.parse(jinja.tokenize(source, options));
      } catch (error) {
        // The library's parser reads past the last token.
        throw error instanceof TypeError ? new Error("it ends within a block, a statement or an expression") : error;
      }
    },
    (seconds) => `parsing its ${source.length} characters does not end within ${seconds} s`,
  );
}

const globals = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
  range,
  raise_exception: (message: unknown) => {
    throw new Refusal(typeof message === "object" && message !== null ? "it gave a list or mapping as the reason" : String(message));
  },
  strftime_now: (format: string) => strftime(new Date(), format),
};

const iterable = new Set(["ArrayValue", "TupleValue", "ObjectValue", "StringValue", "UndefinedValue"]);

/** Filters that process a whole value, or whose arguments determine the size of the result. */
const growing = new Set(["indent", "join", "replace", "sort", "string", "tojson", "unique"]);

/** How often a text contains another, as Python's `str.count`. */
function count(whole: string, part: string): number {
  if (part === "") return whole.length + 1;
  let found = 0;
  for (let at = whole.indexOf(part); at >= 0; at = whole.indexOf(part, at + part.length)) found++;
  return found;
}

/** How many levels of lists and mappings a value has. */
function levelsOf({ value }: Value): number {
  const inner = Array.isArray(value) ? (value as Value[]) : value instanceof Map ? [...(value as Map<string, Value>).values()] : [];
  return inner.reduce((most, each) => Math.max(most, 1 + levelsOf(each)), 0);
}

/** Stands for an expression whose value is known, so that nothing is evaluated twice. */
const evaluated = (result: Value): Node => ({ type: "Evaluated", result });

/** The library's interpreter, with Python's meaning of what it takes for JavaScript's. */
export function pythonInterpreter(jinja: Jinja, timeLimit: number): Jinja["Interpreter"] {
  const constant = (value: unknown) => new jinja.Environment().set("value", value);
  const StringValue = constant("").constructor as new (value: string) => Value;
  const IntegerValue = constant(0).constructor as new (value: number) => Value;
  const BooleanValue = constant(true).constructor as new (value: boolean) => Value;

  return class PythonInterpreter extends jinja.Interpreter {
    private readonly limits = new TemplateLimits(timeLimit / 1000);

    override evaluate(node: Node | undefined, environment: Environment): Value {
      const { limits } = this;
      limits.enter();
      let value: Value;
      try {
        value = this.dispatch(node, environment) ?? constant(undefined); // the first item of an empty list
      } finally {
        limits.leave();
      }
      const isSlice = node?.type === "MemberExpression" && (node.property as Node).type === "SliceExpression";
      const isCopy = isSlice || node?.type === "CallExpression" || node?.type === "FilterExpression";
      // Concatenated texts share their parts.
      if (value.type === "StringValue") {
        const { length } = value.value as string;
        if (length > 1024) isCopy ? limits.copiedText(length) : limits.text(length);
      } else if (value.type === "ArrayValue" && (isCopy || node?.type === "BinaryExpression" || node?.type === "ArrayLiteral"))
        limits.copiedList((value.value as Value[]).length);
      return value;
    }

    private dispatch(node: Node | undefined, environment: Environment): Value | undefined {
      switch (node?.type) {
        case "CallExpression":
          return this.method(node, environment);
        case "FilterExpression":
          return this.filter(node, environment);
        case "BinaryExpression":
          return this.binary(node, environment);
        case "TestExpression":
          return this.test(node, environment);
        case "For":
          return this.loop(node, environment);
        case "FilterStatement":
          return this.filter(
            { ...node, operand: evaluated(this.evaluateBlock(node.body as Node[], environment)) },
            environment,
          );
        case "Evaluated":
          return node.result as Value;
        default:
          return super.evaluate(node, environment);
      }
    }

    /** Prints every value as `str` does. Statements have no value. */
    override evaluateBlock(nodes: readonly Node[], environment: Environment): Value {
      let printed = "";
      for (const node of nodes) {
        const value = this.evaluate(node, environment);
        if (node.type !== "Set" && node.type !== "Macro" && node.type !== "Comment") printed += text(value);
        this.limits.text(printed.length);
      }
      return new StringValue(printed);
    }

    /** Methods of strings that the library has otherwise. */
    private method(node: Node, environment: Environment): Value {
      const callee = node.callee as Node;
      if (callee.type !== "MemberExpression" || callee.computed === true) return super.evaluate(node, environment);
      const name = (callee.property as Node).value;
      const object = this.evaluate(callee.object as Node, environment);
      if (object.type === "StringValue" && (name === "replace" || name === "split")) {
        const args = this.settled(node.args as Node[], environment);
        this.expectRoom(name, object, args);
        return super.evaluate({ ...node, args, callee: { ...callee, object: evaluated(object) } }, environment);
      }
      const isStrip = name === "strip" || name === "lstrip" || name === "rstrip";
      if (object.type !== "StringValue" || !(isStrip || name === "capitalize"))
        return super.evaluate({ ...node, callee: { ...callee, object: evaluated(object) } }, environment);
      const string = object.value as string;
      if (!isStrip) return new StringValue(capitalize(string));
      const [characters] = (node.args as Node[]).map((argument) => this.evaluate(argument, environment));
      if (characters && characters.type !== "StringValue" && characters.type !== "NullValue")
        throw new Error(`${name}() takes a string`);
      return new StringValue(strip(string, name, (characters?.value as string | null) ?? undefined));
    }

    private filter(node: Node, environment: Environment): Value {
      const operand = this.evaluate(node.operand as Node, environment);
      const filter = node.filter as Node & { value?: string; callee?: Node };
      const name = filter.callee ? filter.callee.value : filter.value;
      if (name === "string") return new StringValue(text(operand));
      if (name === "trim" && !filter.callee) return new StringValue(strip(text(operand), "strip"));
      if (name === "capitalize") return new StringValue(capitalize(text(operand)));
      if ((name === "length" || name === "count") && operand.type === "StringValue")
        return new IntegerValue(Array.from(operand.value as string).length);
      if (!filter.callee || !growing.has(name as string)) {
        if (!filter.callee && growing.has(name as string)) this.expectRoom(name as string, operand, []);
        return this.applyFilter(operand, filter, environment);
      }
      const args = this.settled(filter.args as Node[], environment);
      this.expectRoom(name as string, operand, args);
      return this.applyFilter(operand, { ...filter, args } as Node, environment);
    }

    /** The arguments of a call, evaluated. */
    private settled(args: readonly Node[], environment: Environment): Node[] {
      return args.map((argument) => {
        if (argument.type === "KeywordArgumentExpression")
          return { ...argument, value: evaluated(this.evaluate(argument.value as Node, environment)) };
        const isSpread = argument.type === "SpreadExpression" || argument.type === "KeywordSpreadExpression";
        return isSpread ? argument : evaluated(this.evaluate(argument, environment));
      });
    }

    /** Checks the size of what a filter or method would make of its operand, before it does. */
    private expectRoom(name: string, operand: Value, args: readonly Node[]): void {
      const values = args.map(({ result, value }) => (result ?? (value as Node | undefined)?.result) as Value | undefined);
      const whole = operand.type === "StringValue" ? (operand.value as string) : "";
      const longest = Math.max(0, ...values.map((each) => (each?.type === "StringValue" ? (each.value as string).length : 0)));
      const width = Math.max(0, ...values.map((each) => (each?.type === "IntegerValue" ? (each.value as number) : 0)));
      if (name === "replace") {
        const [from, to] = values.map((each) => (typeof each?.value === "string" ? each.value : ""));
        const growth = (to?.length ?? 0) - (from?.length ?? 0);
        if (whole.length * growth > 1024) this.limits.text(whole.length + count(whole, from ?? "") * growth);
      } else if (name === "split") {
        if (whole.length > 1024) this.limits.list(count(whole, (values[0]?.value as string | undefined) || " ") + 1);
      } else if (name === "indent") this.limits.text(whole.length + (count(whole, "\n") + 1) * width);
      else if (typeof operand.value === "object" && operand.value !== null) {
        const { nodes, characters } = measure(operand);
        const indent = name === "tojson" && width > 0 ? width * levelsOf(operand) : 0;
        this.limits.text(characters + nodes * (longest + indent));
      } else if (name === "join") this.limits.text(whole.length * (longest + 1));
    }

    /** What is missing counts as iterable, as strings and mappings do. */
    private test(node: Node, environment: Environment): Value {
      const operand = this.evaluate(node.operand as Node, environment);
      if ((node.test as Node).value !== "iterable")
        return super.evaluate({ ...node, operand: evaluated(operand) }, environment);
      return new BooleanValue(iterable.has(operand.type) !== (node.negate === true));
    }

    /** Loops over the characters of a string, and not at all over what is missing. */
    private loop(node: Node, environment: Environment): Value {
      const over = node.iterable as Node;
      if (over.type === "SelectExpression") return super.evaluate(node, environment);
      const value = this.evaluate(over, environment);
      if (value.type === "StringValue") this.limits.list((value.value as string).length);
      const characters = value.type === "StringValue" ? Array.from(value.value as string) : [];
      const items = value.type === "StringValue" || value.type === "UndefinedValue" ? constant(characters) : value;
      return super.evaluate({ ...node, iterable: evaluated(items) }, environment);
    }

    private binary(node: Node, environment: Environment): Value {
      const operator = (node.operator as Node).value;
      if (operator !== "==" && operator !== "!=" && operator !== "~" && operator !== "+")
        return super.evaluate(node, environment);
      const left = this.evaluate(node.left as Node, environment);
      const right = this.evaluate(node.right as Node, environment);
      if (left.type === "ArrayValue" && right.type === "ArrayValue")
        this.limits.list((left.value as Value[]).length + (right.value as Value[]).length);
      if (operator === "~") return new StringValue(text(left) + text(right));
      if (operator !== "+") return new BooleanValue(equal(left, right) === (operator === "=="));
      const strings = [left, right].filter(({ type }) => type === "StringValue").length;
      if (strings === 2) return new StringValue((left.value as string) + (right.value as string));
      if (strings === 0)
        return super.evaluate({ ...node, left: evaluated(left), right: evaluated(right) }, environment);
      const other = left.type === "StringValue" ? right : left;
      throw new Error(`a string and ${shown(other.value ?? null)} cannot be added`);
    }
  };
}
