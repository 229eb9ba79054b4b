/**
 * Jinja templates over a row, as lm-evaluation-harness renders them: lines with blocks stay, and a name that the row
 * does not have is an error. Python's meaning of values comes from text/chatTemplate.ts.
 */
import { shown } from "../base/values";
import { InputError } from "../native/errors";
import { type Jinja, type Node, messageOf, parseTemplate, pythonInterpreter } from "../text/chatTemplate";
import { type Value, equal, text } from "../text/python";
import { limitReason } from "../text/templateLimits";
import { RowError } from "./fields";
import type { Row } from "./task";

const TIME_LIMIT = 5_000; // milliseconds
/** Names that are no columns. */
const GLOBALS = new Set(["true", "True", "false", "False", "none", "None", "range", "namespace", "loop"]);
/** Where a node keeps names that are not looked up among the variables. */
const NOT_NAMES = new Set(["property", "filter", "test", "key", "operator"]);

export class Template {
  private readonly names: readonly string[];

  private constructor(
    private readonly jinja: Jinja,
    private readonly program: Node,
    private readonly place: string,
  ) {
    const [used, made] = [new Set<string>(), new Set<string>()];
    collect(program, used, made);
    this.names = [...used].filter((name) => !made.has(name) && !GLOBALS.has(name));
  }

  /** @param place of the template, for messages, such as `'doc_to_text' of 'my.yaml'` */
  static async parse(source: string, place: string): Promise<Template> {
    const jinja = (await import("@huggingface/jinja")) as unknown as Jinja;
    try {
      // The library takes one newline off the end, which the harness keeps.
      const whole = source.endsWith("\n") ? `${source}\n` : source;
      return new Template(jinja, parseTemplate(jinja, whole, { lstrip_blocks: false, trim_blocks: false }), place);
    } catch (error) {
      const reason = limitReason(error);
      const message = reason === undefined ? (error as Error).message : `it ${reason}`;
      throw new InputError(`Expected a Jinja template for ${place} but it does not parse: ${message}`);
    }
  }

  /** A template whose one expression's value is wanted (`evaluate`), not its text. */
  static async expression(source: string, place: string): Promise<Template> {
    const trimmed = source.trim();
    const inner = trimmed.slice(2, -2).replace(/^-/, "").replace(/-$/, "");
    if (!(trimmed.length >= 4 && trimmed.startsWith("{{") && trimmed.endsWith("}}") && !inner.includes("}}")))
      throw new InputError(`Expected one expression ({{ … }}) for ${place} but received ${shown(source)}`);
    return Template.parse(`{{ (${inner}) | tojson }}`, place);
  }

  render(row: Row): string {
    const missing = this.names.find((name) => !Object.hasOwn(row, name));
    if (missing !== undefined) {
      const there = Object.keys(row)
        .map((each) => `'${each}'`)
        .join(", ");
      throw new RowError(
        `Expected the column '${missing}', which a template of the task names, ` +
          `but the row has only ${there || "nothing"}`,
      );
    }
    try {
      const environment = new this.jinja.Environment();
      for (const [name, value] of [...Object.entries(constants), ...Object.entries(row)]) {
        environment.variables.delete(name);
        environment.set(name, value);
      }
      return text(new (rowInterpreter(this.jinja))(environment).run(this.program));
    } catch (error) {
      const reason = limitReason(error);
      throw new RowError(
        reason === undefined
          ? `Expected a template that the row can fill but it failed: ${messageOf(error)}`
          : `Expected a template within limits for ${this.place} but it ${reason}`,
      );
    }
  }

  evaluate(row: Row): unknown {
    const rendered = this.render(row);
    try {
      return JSON.parse(rendered) as unknown;
    } catch {
      throw new RowError(`Expected a value for ${this.place} but its expression gives ${shown(rendered)}`);
    }
  }
}

/** With `list.index(value)`, which the harness's own tasks use and the library lacks. */
function rowInterpreter(jinja: Jinja) {
  const Integer = new jinja.Environment().set("value", 0).constructor as new (value: number) => Value;
  return class RowInterpreter extends pythonInterpreter(jinja, TIME_LIMIT) {
    override evaluate(node: Node | undefined, environment: InstanceType<Jinja["Environment"]>): Value {
      const callee = node?.type === "CallExpression" ? (node["callee"] as Node) : undefined;
      if (callee?.type !== "MemberExpression" || (callee["property"] as Node)["value"] !== "index")
        return super.evaluate(node, environment);
      const list = this.evaluate(callee["object"] as Node, environment);
      const [wanted] = (node!["args"] as Node[]).map((argument) => this.evaluate(argument, environment));
      const at =
        list.type === "ArrayValue" && wanted ? (list.value as Value[]).findIndex((each) => equal(each, wanted)) : -1;
      if (at < 0) throw new Error(`${wanted ? text(wanted) : "nothing"} is not in the list`);
      return new Integer(at);
    }
  };
}

const constants = { true: true, True: true, false: false, False: false, none: null, None: null };

/** Names a program looks up, and those it gives values to. */
function collect(node: unknown, used: Set<string>, made: Set<string>): void {
  if (Array.isArray(node)) return node.forEach((each) => collect(each, used, made));
  if (typeof node !== "object" || node === null) return;
  const { type, value } = node as Node;
  if (type === "Identifier") used.add(value as string);
  for (const [key, child] of Object.entries(node)) {
    const names = type === "Set" ? "assignee" : type === "For" ? "loopvar" : type === "Macro" ? "name" : undefined;
    if (key === names || (type === "Macro" && key === "args")) collect(child, made, made);
    else if (
      NOT_NAMES.has(key) &&
      !(key === "property" && (node as Node)["computed"] === true) &&
      !(key === "test" && type !== "TestExpression")
    ) {
      // Arguments of filters and methods are looked up.
      if (typeof child === "object" && child !== null && "args" in child) collect(child.args, used, made);
    } else collect(child, used, made);
  }
}
