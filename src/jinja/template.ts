/** Jinja2 3.1.6 templates, with limits on time and memory. */
import { compile } from "./compiler";
import { Environment, type FilterFunction } from "./environment";
import { JinjaError } from "./errors";
import { FILTERS } from "./filters";
import { newRun, type Program, type Run } from "./frames";
import { CHAT_GLOBALS, globalsOf } from "./globals";
import { MOST_SOURCE, TemplateLimitError, TemplateLimits, within } from "./limits";
import type { Statement } from "./nodes";
import { parse } from "./parser";
import { TESTS } from "./tests";
import { chatToJson } from "./textFilters";
import { fromJs, type Value } from "./values";

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

/** An environment like `jinja2.Environment(undefined=StrictUndefined, keep_trailing_newline=True)`, with extra filters. */
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
  /** Where the text of each `{% generation %}` block starts and ends, in characters (code points). */
  readonly generated: readonly (readonly [start: number, end: number])[];
}

/** Time limit for parsing a template, in seconds. */
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
   * @param seconds the time limit
   * @throws JinjaError with the line; TemplateLimitError
   */
  render(variables: Readonly<Record<string, unknown>>, seconds: number): Rendering {
    const run = newRun();
    const text = running(seconds, run, () => this.program(namesOf(this.environment, variables), run));
    return { text, generated: run.generated };
  }
}

function parsed<T>(source: string, environment: Environment, compiled: (body: Statement[]) => T): T {
  if (source.length > MOST_SOURCE) throw new TemplateLimitError(`has ${source.length} characters; the limit is ${MOST_SOURCE}`);
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
