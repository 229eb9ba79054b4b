/** Templates of Jinja2 3.1.6, within limits of time and memory. */
import { type Program, type Run, compile, compileExpression, newRun } from "./compiler";
import { Environment, type FilterFunction } from "./environment";
import { JinjaError } from "./errors";
import { FILTERS, chatToJson } from "./filters";
import { CHAT_GLOBALS, globalsOf } from "./globals";
import { MOST_SOURCE, TemplateLimitError, TemplateLimits, within } from "./limits";
import type { Statement } from "./nodes";
import { parse } from "./parser";
import { TESTS } from "./tests";
import { type Value, fromJs } from "./values";

/** The environment in which transformers renders chat templates. */
export const CHAT_ENVIRONMENT = new Environment({
  syntax: {
    trimBlocks: true,
    lstripBlocks: true,
    keepTrailingNewline: false,
    extensions: new Set(["break", "continue", "generation"]),
  },
  filters: new Map([...FILTERS, ["tojson", chatToJson]]),
  tests: TESTS,
  globals: new Map([...globalsOf(true), ...CHAT_GLOBALS]),
  isSandboxed: true,
  isStrict: false,
});

/** An environment as `jinja2.Environment(undefined=StrictUndefined, keep_trailing_newline=True)`, with further filters. */
export function strictEnvironment(filters: ReadonlyMap<string, FilterFunction>): Environment {
  return new Environment({
    syntax: { trimBlocks: false, lstripBlocks: false, keepTrailingNewline: true, extensions: new Set() },
    filters: new Map([...FILTERS, ...filters]),
    tests: TESTS,
    globals: globalsOf(false),
    isSandboxed: false,
    isStrict: true,
  });
}

export interface Rendering {
  readonly text: string;
  /** Where the text of `{% generation %}` blocks begins and ends, in characters (code points) of the text. */
  readonly generated: readonly (readonly [start: number, end: number])[];
}

/** Seconds for reading a template. */
const SECONDS_TO_PARSE = 5;

export class Template {
  private readonly program: Program;

  /** @throws JinjaError with the line; TemplateLimitError */
  constructor(
    source: string,
    private readonly environment: Environment,
  ) {
    this.program = parsed(source, environment, (body) => compile(body, environment));
  }

  /**
   * @param seconds that it may take
   * @throws JinjaError with the line; TemplateLimitError
   */
  render(variables: Readonly<Record<string, unknown>>, seconds: number): Rendering {
    const run = newRun();
    const text = running(seconds, run, () => this.program(namesOf(this.environment, variables), run));
    return { text, generated: run.generated };
  }
}

/** A template that is one expression, `{{ … }}`, whose value is asked for, not its text. */
export class TemplateExpression {
  private constructor(
    private readonly program: (variables: ReadonlyMap<string, Value>, run: Run) => Value,
    private readonly environment: Environment,
  ) {}

  /**
   * Undefined for a template that is something else than one expression.
   *
   * @throws JinjaError with the line; TemplateLimitError
   */
  static of(source: string, environment: Environment): TemplateExpression | undefined {
    return parsed(source, environment, ([only, ...more]) => {
      const [item, ...items] = only?.type === "Output" ? only.items : [];
      if (more.length > 0 || items.length > 0 || item === undefined || item.type === "Data") return undefined;
      return new TemplateExpression(compileExpression(item, environment), environment);
    });
  }

  /** @throws JinjaError with the line; TemplateLimitError */
  evaluate<T>(variables: Readonly<Record<string, unknown>>, seconds: number, convert: (value: Value) => T): T {
    const run = newRun();
    return running(seconds, run, () => convert(this.program(namesOf(this.environment, variables), run)));
  }
}

function parsed<T>(source: string, environment: Environment, compiled: (body: Statement[]) => T): T {
  if (source.length > MOST_SOURCE)
    throw new TemplateLimitError(`has ${source.length} characters; the limit is ${MOST_SOURCE}`);
  return within(new TemplateLimits(SECONDS_TO_PARSE), () => compiled(parse(source, environment.syntax)));
}

function running<T>(seconds: number, run: Run, work: () => T): T {
  try {
    return within(new TemplateLimits(seconds), work);
  } catch (error) {
    if (error instanceof JinjaError) error.line ??= run.line;
    throw error;
  }
}

function namesOf(environment: Environment, variables: Readonly<Record<string, unknown>>): Map<string, Value> {
  const names = new Map(environment.globals);
  for (const name of Object.keys(variables)) {
    const value = variables[name];
    if (value !== undefined) names.set(name, fromJs(value));
  }
  return names;
}
