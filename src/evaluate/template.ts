/**
 * Jinja templates over a row, as lm-evaluation-harness renders them: lines with blocks stay, and a name that the row
 * does not have is an error.
 */
import { convertInputErrors, InputError } from "../base/errors";
import { JinjaError, Template as JinjaTemplate, limitReason, parseReason, strictEnvironment } from "../jinja";
import { withExactNumbers } from "../text/exactNumbers";
import { RowError } from "../data/fields";
import { regexReplace } from "./python/regexReplace";
import type { Row } from "./tasks/task";

/** Time limit for rendering a row, in seconds. */
const SECONDS = 5;

const ENVIRONMENT = strictEnvironment(new Map([["regex_replace", regexReplace]]));

export class Template {
  private constructor(
    private readonly template: JinjaTemplate,
    private readonly place: string,
  ) {}

  /**
   * @param place where the template is, for messages, such as `'doc_to_text' of 'my.yaml'`
   * @throws InputError when it does not parse
   */
  static parse(source: string, place: string): Template {
    return new Template(
      parsed(place, () => new JinjaTemplate(source, ENVIRONMENT)),
      place,
    );
  }

  render(row: Row): string {
    return this.running(row, () => this.template.render(withExactNumbers(row), SECONDS).text);
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
    const reason = parseReason(error);
    if (reason === undefined) throw error;
    throw new InputError(`Expected a Jinja template for ${place} but ${reason}`);
  }
}

function explained(error: JinjaError, row: Row, place: string): string {
  const missing = error.kind === "UndefinedError" ? /^'(.*)' is undefined$/.exec(error.message)?.[1] : undefined;
  if (missing === undefined || Object.hasOwn(row, missing))
    return `Expected a template that the row can fill for ${place} but it failed: ${error.located}`;
  const there = Object.keys(row)
    .map((each) => `'${each}'`)
    .join(", ");
  return `Expected the column '${missing}', which a template of the task names, but the row has ${there ? `only ${there}` : "no columns"}`;
}
