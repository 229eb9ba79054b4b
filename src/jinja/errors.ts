/** The errors of templates. Each has the name of the exception that Python or Jinja2 would raise. */

export type ErrorKind =
  | "AttributeError"
  | "AssertionError"
  | "FilterArgumentError"
  | "IndexError"
  | "KeyError"
  | "OverflowError"
  | "RuntimeError"
  | "SecurityError"
  | "TemplateAssertionError"
  | "TemplateError"
  | "TemplateRuntimeError"
  | "TemplateSyntaxError"
  | "TypeError"
  | "UndefinedError"
  | "ValueError"
  | "ZeroDivisionError"
  /** Jinja2 supports this, but this engine does not. */
  | "Unsupported";

/** A template is wrong, or fails. The message is Jinja2's own where it has one. */
export class JinjaError extends Error {
  override name = "JinjaError";
  /** The line of the template, from 1; undefined until the statement that failed is known. */
  line: number | undefined;

  constructor(
    readonly kind: ErrorKind,
    message: string,
    line?: number,
  ) {
    super(message);
    this.line = line;
  }

  /** Whether a Python handler for these exceptions would catch it. */
  isOneOf(...kinds: ErrorKind[]): boolean {
    return kinds.includes(this.kind);
  }

  /** The message with its line, as in `line 3: 'x' is undefined`. */
  get located(): string {
    return this.line === undefined ? this.message : `line ${this.line}: ${this.message}`;
  }
}

export function typeError(message: string): JinjaError {
  return new JinjaError("TypeError", message);
}

export function valueError(message: string): JinjaError {
  return new JinjaError("ValueError", message);
}

/** @param what of Jinja2 is missing here, as the subject of "is not supported" */
export function unsupported(what: string, line?: number): JinjaError {
  return new JinjaError("Unsupported", `${what} is not supported`, line);
}
