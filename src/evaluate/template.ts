/**
 * Jinja templates over a row, as lm-evaluation-harness renders them: lines with blocks stay, and a name that the row
 * does not have is an error.
 */
import { convertInputErrors } from "../base/errors";
import { shown } from "../base/values";
import {
  JinjaError,
  Template as JinjaTemplate,
  TemplateExpression,
  limitReason,
  literalEval,
  strictEnvironment,
  toJs,
} from "../jinja";
import { InputError } from "../native/errors";
import { withExactNumbers } from "../text/exactNumbers";
import { RowError } from "./fields";
import { regexReplace } from "./regexReplace";
import type { Row } from "./task";

/** Seconds that a template may take for a row. */
const SECONDS = 5;

const ENVIRONMENT = strictEnvironment(new Map([["regex_replace", regexReplace]]));

export class Template {
  private constructor(
    private readonly template: JinjaTemplate,
    private readonly expression: TemplateExpression | undefined,
    private readonly place: string,
  ) {}

  /** @param place of the template, for messages, such as `'doc_to_text' of 'my.yaml'` */
  static async parse(source: string, place: string): Promise<Template> {
    return new Template(parsed(place, () => new JinjaTemplate(source, ENVIRONMENT)), undefined, place);
  }

  /** A template whose value is wanted (`evaluate`), not its text: one expression, or text that Python reads as a literal. */
  static async expression(source: string, place: string): Promise<Template> {
    const template = parsed(place, () => new JinjaTemplate(source, ENVIRONMENT));
    return new Template(template, TemplateExpression.of(source.trim(), ENVIRONMENT), place);
  }

  render(row: Row): string {
    return this.running(row, () => this.template.render(withExactNumbers(row), SECONDS).text);
  }

  /** The value of the expression; a text that is a literal of Python, such as `['a', 'b']`, becomes what it says. */
  evaluate(row: Row): unknown {
    return this.running(row, () => {
      const value = this.expression ? this.expression.evaluate(withExactNumbers(row), SECONDS, toJs) : this.template.render(withExactNumbers(row), SECONDS).text;
      return typeof value === "string" ? literalOf(value) : value;
    });
  }

  private running<T>(row: Row, work: () => T): T {
    try {
      return convertInputErrors(work, (error) => new RowError(error.message));
    } catch (error) {
      if (error instanceof JinjaError) throw new RowError(explained(error, row, this.place));
      const reason = limitReason(error);
      if (reason !== undefined) throw new RowError(`Expected a template within limits for ${this.place} but it ${reason}`);
      throw error;
    }
  }
}

function parsed<T>(place: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const reason = limitReason(error);
    if (reason === undefined && !(error instanceof JinjaError)) throw error;
    const message = reason === undefined ? (error as JinjaError).located : `it ${reason}`;
    throw new InputError(`Expected a Jinja template for ${place} but it does not parse: ${message}`);
  }
}

function explained(error: JinjaError, row: Row, place: string): string {
  const missing = error.kind === "UndefinedError" ? /^'(.*)' is undefined$/.exec(error.message)?.[1] : undefined;
  if (missing === undefined || Object.hasOwn(row, missing))
    return `Expected a template that the row can fill for ${place} but it failed: ${error.located}`;
  const there = Object.keys(row).map((each) => shown(each)).join(", ");
  return `Expected the column '${missing}', which a template of the task names, but the row has only ${there || "nothing"}`;
}

function literalOf(text: string): unknown {
  try {
    return toJs(literalEval(text));
  } catch (error) {
    if (error instanceof JinjaError || limitReason(error) !== undefined) return text;
    throw error;
  }
}
