/**
 * Reads Python literals as `ast.literal_eval` does: the harness builds lists of choices and answers from the text that a
 * template renders.
 */
import { PYTHON_ESCAPES } from "../../jinja/strings";

/** A Python value: tuples and sets are lists, `None` is null, integers and floats are numbers. */
export type Literal = string | number | boolean | null | Literal[] | { [key: string]: Literal };

/** Maximum nesting of lists and dictionaries. */
const MOST_LEVELS = 200;

/**
 * @throws SyntaxError when the text is not a single literal, or uses an unsupported one: bytes, complex numbers,
 * f-strings and characters by name (`\N{…}`)
 */
export function pythonLiteral(text: string): Literal {
  const reader = new Reader(text.replace(/^[ \t]+/, "").replace(/^(\s*\n)+/, ""));
  return reader.whole();
}

const CONSTANTS: Readonly<Record<string, boolean | null>> = { True: true, False: false, None: null };

class Reader {
  private at = 0;
  /** Newlines are white space only within brackets. */
  private open = 0;

  constructor(private readonly text: string) {}

  value(level: number): Literal {
    if (level > MOST_LEVELS) throw this.fault(`at most ${MOST_LEVELS} levels of lists`);
    this.space();
    const { text, at } = this;
    const constant = this.match(/(True|False|None)\b/y);
    if (constant !== undefined) return CONSTANTS[constant]!;
    if (/[rRuU]?['"]/y.test(text.slice(at, at + 2))) return this.strings();
    switch (text[at]) {
      case "[":
        return this.list("]", level).items;
      case "(": {
        const { items, comma } = this.list(")", level);
        return items.length === 1 && !comma ? items[0]! : items;
      }
      case "{":
        return this.braces(level);
      default:
        return this.number();
    }
  }

  /** The value of the whole text; values separated by commas are a tuple. */
  whole(): Literal {
    const first = this.value(0);
    const items = [first];
    let comma = this.takes(",");
    const isTuple = comma;
    while (comma && !this.isEnd()) {
      items.push(this.value(0));
      comma = this.takes(",");
    }
    if (!this.isEnd()) throw this.fault("the end");
    return isTuple ? items : first;
  }

  private isEnd(): boolean {
    return this.match(/\s*(#[^\n]*(\n\s*|$))*$/y) !== undefined;
  }

  private list(close: string, level: number): { items: Literal[]; comma: boolean } {
    const items: Literal[] = [];
    let comma = false;
    this.enter();
    while (!this.closes(close)) {
      if (items.length > 0 && !comma) throw this.fault(`',' or '${close}'`);
      items.push(this.value(level + 1));
      comma = this.takes(",");
    }
    return { items, comma };
  }

  /** A dictionary, or a set. */
  private braces(level: number): Literal {
    const entries: [string, Literal][] = [];
    const items: Literal[] = [];
    let comma = true;
    this.enter();
    while (!this.closes("}")) {
      if (!comma) throw this.fault("',' or '}'");
      const key = this.value(level + 1);
      if (this.takes(":")) entries.push([String(key), this.value(level + 1)]);
      else items.push(key);
      if (entries.length > 0 && items.length > 0) throw this.fault("a dictionary or a set");
      comma = this.takes(",");
    }
    return items.length > 0 ? items : Object.fromEntries(entries);
  }

  /** Adjacent strings are concatenated. */
  private strings(): string {
    let whole = "";
    for (;;) {
      const prefix = this.match(/[rRuU]?(?='|")/y);
      if (prefix === undefined) return whole;
      const quote = this.match(/'''|"""|'|"/y)!;
      const start = this.at;
      let end = start;
      while (!this.text.startsWith(quote, end)) {
        const isEnd = end >= this.text.length || (quote.length === 1 && this.text[end] === "\n");
        if (isEnd) throw this.fault(`a closing ${quote}`);
        end += this.text[end] === "\\" ? 2 : 1;
      }
      const raw = this.text.slice(start, end);
      whole += prefix.toLowerCase() === "r" ? raw : this.unescaped(raw);
      this.at = end + quote.length;
      this.space();
    }
  }

  private unescaped(raw: string): string {
    const escape = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|([^]))/gu;
    return raw.replace(escape, (all, ...found) => {
      const [x, u, long, octal, other] = found as (string | undefined)[];
      if (other !== undefined) {
        if ("xuUN".includes(other)) throw this.fault("a supported escape sequence");
        return PYTHON_ESCAPES[other] ?? all;
      }
      const code = octal === undefined ? parseInt((x ?? u ?? long)!, 16) : parseInt(octal, 8);
      if (code > 0x10ffff) throw this.fault("a character's number");
      return String.fromCodePoint(code);
    });
  }

  private number(): number {
    const sign = this.match(/[-+]\s*/y)?.startsWith("-") ? -1 : 1;
    const found =
      this.match(/0[xX](_?[\da-fA-F])+|0[oO](_?[0-7])+|0[bB](_?[01])+/y) ??
      this.match(/(\d[\d_]*)?\.\d[\d_]*([eE][-+]?\d[\d_]*)?|\d[\d_]*(\.([eE][-+]?\d[\d_]*)?|[eE][-+]?\d[\d_]*)/y) ??
      this.match(/0[0_]*(?![\d_])|[1-9][\d_]*/y);
    if (found === undefined || /_(?!\w)|__/.test(found) || this.match(/(?![\w.])/y) === undefined) throw this.fault("a literal");
    return sign * Number(found.replaceAll("_", ""));
  }

  private enter(): void {
    this.at++;
    this.open++;
    this.space();
  }

  private closes(close: string): boolean {
    if (!this.takes(close)) return false;
    this.open--;
    return true;
  }

  private takes(mark: string): boolean {
    this.space();
    if (this.text[this.at] !== mark) return false;
    this.at++;
    return true;
  }

  private space(): void {
    this.match(this.open > 0 ? /(\s|#[^\n]*|\\\n)*/y : /([ \t\f]|\\\n)*/y);
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.at += found.length;
    return found;
  }

  private fault(expected: string): SyntaxError {
    return new SyntaxError(`Expected ${expected} at character ${this.at} of a Python literal`);
  }
}
