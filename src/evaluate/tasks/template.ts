/**
 * Jinja templates over a row, and the keys of a task file that hold them, as lm-evaluation-harness reads them:
 * `doc_to_text`, `doc_to_target` and `doc_to_choice` are the name of a column, or a template whose output may be a Python
 * list. Lines with blocks stay, and a name that the row does not have is an error.
 */
import { convertInputErrors, InputError } from "../../base/errors";
import { shown } from "../../base/values";
import { RowError } from "../../data/fields";
import { JinjaError, limitReason, parseReason, strictEnvironment, Template } from "../../jinja";
import { withExactNumbers } from "../../text/exactNumbers";
import { pythonLiteral } from "../python/literal";
import { regexReplace } from "../python/regexReplace";
import type { Row } from "./task";

/** Time limit for rendering a row, in seconds. */
const SECONDS = 5;

const ENVIRONMENT = strictEnvironment(new Map([["regex_replace", regexReplace]]));

/** A template whose variables are the columns of a row. */
export class RowTemplate {
  private constructor(
    private readonly template: Template,
    private readonly place: string,
  ) {}

  /**
   * @param place where the template is, for messages, such as `'doc_to_text' of 'my.yaml'`
   * @throws InputError when it does not parse
   */
  static parse(source: string, place: string): RowTemplate {
    return new RowTemplate(
      parsed(place, () => new Template(source, ENVIRONMENT)),
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

type Read<T> = (row: Row) => T;

/** The value of a key for a row: a column's value as it is, or the text that a template renders. */
type Field = { readonly column: true; readonly value: unknown } | { readonly column: false; readonly value: string };

function fieldReader(source: string, place: string): Read<Field> {
  const template = RowTemplate.parse(source, place);
  return (row) =>
    Object.hasOwn(row, source) ? { column: true, value: row[source] } : { column: false, value: template.render(row) };
}

/** `check` rejects a value that the harness would not treat as a text. */
export function textReader(source: string, place: string, check: (field: Field) => void = () => {}): Read<string> {
  const [read, printed] = [fieldReader(source, place), RowTemplate.parse("{{ value }}", place)];
  return (row) => {
    const field = read(row);
    check(field);
    return typeof field.value === "string" ? field.value : printed.render({ value: field.value });
  };
}

/** Rejects a number: the harness takes it as the index of one of several texts, as in Winogrande. */
export function expectText(place: string): (field: Field) => void {
  return ({ column, value }) => {
    if (column ? typeof value === "number" : /^\d+$/.test(value))
      throw new RowError(
        `Expected a text for ${place} but received ${shown(value)}, the index of one of several texts; ` +
          "write such a task as a JavaScript module (.mjs)",
      );
  };
}

/** Rejects several right answers, any of which the harness would count. */
export function expectOne(place: string): (field: Field) => void {
  return ({ column, value }) => {
    if (Array.isArray(column ? value : listIn(value)))
      throw new RowError(`Expected one text for ${place} but received the list ${shown(value)}; choose one of its texts`);
  };
}

/** The list that a rendered text in brackets represents, if it does. */
function listIn(text: string): unknown {
  return /^\[[^]*\]$/.test(text) ? literalIn(text) : undefined;
}

function literalIn(text: string): unknown {
  try {
    return pythonLiteral(text);
  } catch {
    return undefined;
  }
}

export function choiceReader(value: unknown, place: string): Read<string[]> {
  const listOf = (list: unknown): string[] => {
    if (Array.isArray(list) && list.length > 1 && list.every((each) => typeof each === "string")) return list as string[];
    throw new RowError(`Expected a list of at least two texts for ${place} but received ${shown(list)}`);
  };
  if (typeof value === "object" && value !== null) {
    const fixed = listOf(Object.values(value).map(String));
    return () => fixed;
  }
  if (typeof value !== "string")
    throw new InputError(`Expected a list, a column or a template for ${place} but received ${shown(value)}`);
  const read = fieldReader(value, place);
  return (row) => {
    const { column, value: found } = read(row);
    return listOf(column ? found : (literalIn(found) ?? found));
  };
}

/** Which choices are right: an index or a choice's text, from a column or a template, or a list of them. */
export function goldReader(value: unknown, place: string): (row: Row, choices: readonly string[]) => number | number[] {
  const indexOf = (found: unknown, choices: readonly string[]): number => {
    const gold = typeof found === "string" ? choices.indexOf(found) : Number(found ?? NaN); // true is 1
    if (Number.isSafeInteger(gold) && gold >= 0 && gold < choices.length) return gold;
    throw new RowError(
      `Expected one of the ${choices.length} choices for ${place} but received ${shown(found)}, so that no choice is right`,
    );
  };
  const check = (found: unknown, choices: readonly string[]) =>
    Array.isArray(found) && found.length > 0 ? found.map((each) => indexOf(each, choices)) : indexOf(found, choices);
  if (typeof value === "number" || Array.isArray(value)) return (_, choices) => check(value, choices);
  if (typeof value !== "string")
    throw new InputError(`Expected an index, a column or a template for ${place} but received ${shown(value)}`);
  const read = fieldReader(value, place);
  return (row, choices) => {
    const { column, value: found } = read(row);
    return check(column ? found : /^(0+|[1-9]\d*)$/.test(found) ? Number(found) : (listIn(found) ?? found), choices);
  };
}
