/**
 * JSON as Python's `json.loads` reads it, where it differs from `JSON.parse`: NaN, Infinity and -Infinity are numbers,
 * and the caller gets each number as it is written. Much slower than `JSON.parse`, so use it only where needed.
 */

/** Maximum nesting of lists and objects. */
const MAX_DEPTH = 1000;
const NUMBER = /(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)|NaN|-?Infinity/y;

/**
 * Parses a JSON text.
 *
 * @param toNumber converts a number from its literal
 * @throws SyntaxError when the text is not valid JSON of this kind, or is nested more than 1000 levels deep
 */
export function parsePythonJson(text: string, toNumber: (literal: string) => unknown = Number): unknown {
  return new Parser(text, toNumber).whole();
}

/**
 * `JSON.parse` that also accepts NaN, Infinity and -Infinity. Errors are those of `JSON.parse`.
 */
export function parseJsonText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!text.includes("NaN") && !text.includes("Infinity")) throw error;
    try {
      return parsePythonJson(text);
    } catch {
      throw error;
    }
  }
}

class Parser {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly toNumber: (literal: string) => unknown,
  ) {}

  whole(): unknown {
    const value = this.value(0);
    this.skipBlanks();
    if (this.at < this.text.length) throw this.fault();
    return value;
  }

  private value(depth: number): unknown {
    if (depth > MAX_DEPTH) throw new SyntaxError(`more than ${MAX_DEPTH} levels of lists and objects`);
    this.skipBlanks();
    switch (this.text[this.at]) {
      case '"':
        return this.string();
      case "{":
        return this.object(depth);
      case "[":
        return this.list(depth);
      default:
        return this.word();
    }
  }

  private object(depth: number): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    this.at++;
    if (this.takes("}")) return object;
    do {
      this.skipBlanks();
      if (this.text[this.at] !== '"') throw this.fault();
      const key = this.string();
      if (!this.takes(":")) throw this.fault();
      const value = this.value(depth + 1);
      if (key !== "__proto__") object[key] = value;
      else Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
    } while (this.takes(","));
    if (!this.takes("}")) throw this.fault();
    return object;
  }

  private list(depth: number): unknown[] {
    const list: unknown[] = [];
    this.at++;
    if (this.takes("]")) return list;
    do list.push(this.value(depth + 1));
    while (this.takes(","));
    if (!this.takes("]")) throw this.fault();
    return list;
  }

  private string(): string {
    const { text, at: start } = this;
    for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
      let backslashes = 0; // an odd number escapes the quote
      while (text[end - 1 - backslashes] === "\\") backslashes++;
      if (backslashes % 2 === 1) continue;
      this.at = end + 1;
      return JSON.parse(text.slice(start, end + 1)) as string;
    }
    throw this.fault();
  }

  private word(): unknown {
    const words = { true: true, false: false, null: null };
    for (const [word, value] of Object.entries(words))
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    NUMBER.lastIndex = this.at;
    const literal = NUMBER.exec(this.text)?.[0];
    if (literal === undefined) throw this.fault();
    this.at += literal.length;
    return this.toNumber(literal);
  }

  /** Whether the next character is this one; if so, consumes it. */
  private takes(character: string): boolean {
    this.skipBlanks();
    if (this.text[this.at] !== character) return false;
    this.at++;
    return true;
  }

  private skipBlanks(): void {
    for (; ; this.at++) {
      const code = this.text.charCodeAt(this.at);
      if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return;
    }
  }

  private fault(): SyntaxError {
    return new SyntaxError(`Unexpected token at position ${this.at}`);
  }
}
