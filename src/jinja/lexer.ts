/** Splits a template into tokens like jinja2/lexer.py. */
import { JinjaError, unsupported } from "./errors";
import { type Int, parseInt_ } from "./numbers";
import { PYTHON_ESCAPES, SPACE_CLASS, strip } from "./strings";

export interface LexerOptions {
  /** Removes the newline after a block. */
  readonly trimBlocks: boolean;
  /** Removes the white space before a block at the start of a line. */
  readonly lstripBlocks: boolean;
  readonly keepTrailingNewline: boolean;
}

export type TokenType =
  | "data"
  | "block_begin"
  | "block_end"
  | "variable_begin"
  | "variable_end"
  | "name"
  | "string"
  | "integer"
  | "float"
  | "eof"
  | OperatorType;

/** A token. `value` is the text of a name, string, operator or data; a number is in `number`. */
export interface Token {
  readonly type: TokenType;
  readonly value: string;
  readonly number?: Int;
  readonly line: number;
  /** The error after the last token. It is thrown by the parser, which may find an earlier one. */
  readonly error?: JinjaError;
}

const OPERATORS = {
  "+": "add",
  "-": "sub",
  "/": "div",
  "//": "floordiv",
  "*": "mul",
  "%": "mod",
  "**": "pow",
  "~": "tilde",
  "[": "lbracket",
  "]": "rbracket",
  "(": "lparen",
  ")": "rparen",
  "{": "lbrace",
  "}": "rbrace",
  "==": "eq",
  "!=": "ne",
  ">": "gt",
  ">=": "gteq",
  "<": "lt",
  "<=": "lteq",
  "=": "assign",
  ".": "dot",
  ":": "colon",
  "|": "pipe",
  ",": "comma",
  ";": "semicolon",
} as const;

type OperatorType = (typeof OPERATORS)[keyof typeof OPERATORS];

/** The text of the operator that a token type stands for. */
export const OPERATOR_TEXT = Object.fromEntries(Object.entries(OPERATORS).map(([text, type]) => [type, text])) as Record<
  OperatorType,
  string
>;

const CLOSING: Record<string, string> = { "{": "}", "(": ")", "[": "]" };

const SPACE = new RegExp(`[${SPACE_CLASS}]+`, "y");
const FLOAT = /(?<!\.)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy;
const INTEGER = /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy;
const NAME = /[\p{XID_Continue}]+/uy;
const STRING = /'[^'\\]*(?:\\[\s\S][^'\\]*)*'|"[^"\\]*(?:\\[\s\S][^"\\]*)*"/y;
const OPERATOR = /\/\/|\*\*|==|!=|>=|<=|[-+/*%~[\](){}><=.:|,;]/y;
const TAG = /\{[%{#]/g;
const RAW = new RegExp(`\\{%([-+]?)[${SPACE_CLASS}]*raw[${SPACE_CLASS}]*(?:-%\\}[${SPACE_CLASS}]*|%\\})`, "y");
const END_RAW = new RegExp(`\\{%([-+]?)[${SPACE_CLASS}]*endraw[${SPACE_CLASS}]*(\\+%\\}|-%\\}[${SPACE_CLASS}]*|%\\})`, "g");
const END_COMMENT = new RegExp(`\\+#\\}|-#\\}[${SPACE_CLASS}]*|#\\}`, "g");

/** The tokens up to the end, or up to the first error. */
export function tokenize(source: string, options: LexerOptions): Token[] {
  return new Lexer(source, options).run();
}

class Lexer {
  private readonly source: string;
  private readonly tokens: Token[] = [];
  private at = 0;
  private line = 1;
  /** Whether the last token ended its line, so that leading white space may follow. */
  private isLineStart = true;

  constructor(
    source: string,
    private readonly options: LexerOptions,
  ) {
    const text = source.replace(/\r\n?/g, "\n");
    this.source = !options.keepTrailingNewline && text.endsWith("\n") ? text.slice(0, -1) : text;
  }

  run(): Token[] {
    try {
      while (this.at < this.source.length) this.readData();
      this.push("eof", "");
    } catch (error) {
      if (!(error instanceof JinjaError)) throw error;
      this.tokens.push({ type: "eof", value: "", line: this.line, error });
    }
    return this.tokens;
  }

  private push(type: TokenType, value: string, number?: Int, line = this.line): void {
    this.tokens.push(number === undefined ? { type, value, line } : { type, value, line, number });
  }

  /** Moves past a text, counting its lines. */
  private skip(text: string): void {
    for (let i = text.indexOf("\n"); i >= 0; i = text.indexOf("\n", i + 1)) this.line++;
    this.at += text.length;
    if (text !== "") this.isLineStart = text.endsWith("\n");
  }

  /** Reads text up to the next tag, and the tag. */
  private readData(): void {
    TAG.lastIndex = this.at;
    const tag = TAG.exec(this.source);
    const data = this.source.slice(this.at, tag?.index ?? this.source.length);
    if (tag === null) {
      if (data !== "") this.push("data", data);
      this.skip(data);
      return;
    }
    RAW.lastIndex = tag.index;
    const raw = RAW.exec(this.source);
    const sign = raw ? raw[1]! : /[-+]/.test(this.source[tag.index + 2] ?? "") ? this.source[tag.index + 2]! : "";
    const kept = this.stripped(data, sign, tag[0] === "{{");
    if (kept !== "") this.push("data", kept);
    this.skip(data);
    const opening = raw ? raw[0] : tag[0] + sign;
    const { line } = this;
    this.skip(opening);
    if (raw) this.readRaw(line);
    else if (tag[0] === "{#") this.readComment(line);
    else this.readCode(tag[0] === "{{", line);
  }

  /** What remains of a text before a tag with this sign. */
  private stripped(data: string, sign: string, isVariable: boolean): string {
    if (sign === "-") return strip(data, "rstrip");
    if (sign === "+" || !this.options.lstripBlocks || isVariable) return data;
    const start = data.lastIndexOf("\n") + 1;
    if (start === 0 && !this.isLineStart) return data;
    const rest = data.slice(start);
    return rest !== "" && strip(rest, "lstrip") === "" ? data.slice(0, start) : data;
  }

  /** The end of a tag consumes the newline after it, unless its sign prevents that. */
  private skipEnd(end: string): void {
    const isTrimmed = this.options.trimBlocks && !/[-+]/.test(end[0]!) && this.source[this.at + end.length] === "\n";
    this.skip(isTrimmed ? `${end}\n` : end);
  }

  private readRaw(line: number): void {
    END_RAW.lastIndex = this.at;
    const end = END_RAW.exec(this.source);
    if (this.at === this.source.length) return; // as Jinja2 does
    if (!end) throw new JinjaError("TemplateSyntaxError", "Missing end of raw directive", line);
    const data = this.source.slice(this.at, end.index);
    const kept = this.stripped(data, end[1]!, false);
    if (kept !== "") this.push("data", kept);
    this.skip(data);
    const closing = end[2]!;
    const opening = end[0].slice(0, end[0].length - closing.length);
    this.skip(opening);
    this.skipEnd(closing);
  }

  private readComment(line: number): void {
    END_COMMENT.lastIndex = this.at;
    const end = END_COMMENT.exec(this.source);
    if (this.at === this.source.length) return; // as Jinja2 does
    if (!end) throw new JinjaError("TemplateSyntaxError", "Missing end of comment tag", line);
    this.skip(this.source.slice(this.at, end.index));
    this.skipEnd(end[0]);
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    return pattern.exec(this.source)?.[0];
  }

  /** Reads a block or variable up to its end. */
  private readCode(isVariable: boolean, line: number): void {
    this.push(isVariable ? "variable_begin" : "block_begin", isVariable ? "{{" : "{%", undefined, line);
    const close = isVariable ? "}}" : "%}";
    const open: string[] = [];
    while (this.at < this.source.length) {
      if (open.length === 0 && this.readEnd(close, isVariable)) return;
      const space = this.match(SPACE);
      if (space !== undefined) this.skip(space);
      else this.readToken(open);
    }
  }

  private readEnd(close: string, isVariable: boolean): boolean {
    const { source, at } = this;
    const sign = source[at] === "-" || (source[at] === "+" && !isVariable) ? source[at]! : "";
    if (!source.startsWith(close, at + sign.length)) return false;
    const { line } = this;
    if (sign === "-") {
      SPACE.lastIndex = at + 1 + close.length;
      this.skip(`-${close}${SPACE.exec(source)?.[0] ?? ""}`);
    } else if (isVariable) this.skip(close);
    else this.skipEnd(sign + close);
    this.push(isVariable ? "variable_end" : "block_end", close, undefined, line);
    return true;
  }

  private readToken(open: string[]): void {
    const float = this.match(FLOAT);
    if (float !== undefined) {
      this.push("float", float.replaceAll("_", ""));
      return this.skip(float);
    }
    const integer = this.match(INTEGER);
    if (integer !== undefined) {
      this.push(
        "integer",
        integer,
        this.located(() => parseInt_(integer.replaceAll("_", ""), 0, integer)),
      );
      return this.skip(integer);
    }
    const name = this.match(NAME);
    if (name !== undefined) {
      if (!/^[\p{XID_Start}_]/u.test(name))
        throw new JinjaError("TemplateSyntaxError", "Invalid character in identifier", this.line);
      this.push("name", name.normalize("NFKC") === name ? name : this.unusual(name));
      return this.skip(name);
    }
    const string = this.match(STRING);
    if (string !== undefined) {
      this.push(
        "string",
        this.located(() => unescaped(string.slice(1, -1))),
      );
      return this.skip(string);
    }
    const operator = this.match(OPERATOR) as keyof typeof OPERATORS | undefined;
    if (operator === undefined) {
      const character = String.fromCodePoint(this.source.codePointAt(this.at)!);
      throw new JinjaError("TemplateSyntaxError", `unexpected char '${character}' at ${this.at}`, this.line);
    }
    const closing = CLOSING[operator];
    if (closing !== undefined) open.push(closing);
    else if (operator === "}" || operator === ")" || operator === "]") {
      const expected = open.pop();
      if (expected === undefined) throw new JinjaError("TemplateSyntaxError", `unexpected '${operator}'`, this.line);
      if (expected !== operator)
        throw new JinjaError("TemplateSyntaxError", `unexpected '${operator}', expected '${expected}'`, this.line);
    }
    this.push(OPERATORS[operator], operator);
    this.skip(operator);
  }

  private unusual(name: string): never {
    throw unsupported(`the name '${name}', which has characters with a compatible form,`, this.line);
  }

  private located<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof JinjaError) error.line ??= this.line;
      throw error;
    }
  }
}

/** Python's `backslashreplace`, which Jinja2 applies first, so a backslash before such a character escapes the added one. */
function backslashed(character: string): string {
  const code = character.codePointAt(0)!;
  const [letter, digits] = code < 0x100 ? (["x", 2] as const) : code < 0x10000 ? (["u", 4] as const) : (["U", 8] as const);
  return letter + code.toString(16).padStart(digits, "0");
}

/** Python's `unicode-escape`. */
function unescaped(text: string): string {
  if (!text.includes("\\")) return text;
  const result = text.replace(/\\(?:x([\s\S]{0,2})|u([\s\S]{0,4})|U([\s\S]{0,8})|([0-7]{1,3})|(N)|([\s\S]))/gu, unescapedOne);
  return result;
}

function unescapedOne(
  whole: string,
  x: string | undefined,
  u: string | undefined,
  U: string | undefined,
  octal: string | undefined,
  name: string | undefined,
  letter: string,
): string {
  if (name !== undefined) throw unsupported("a character by its name (\\N{...})");
  if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8));
  const digits = x ?? u ?? U;
  if (digits === undefined) return PYTHON_ESCAPES[letter] ?? (letter > "\x7f" ? `\\${backslashed(letter)}` : whole);
  const length = x !== undefined ? 2 : u !== undefined ? 4 : 8;
  if (digits.length < length || !/^[0-9a-fA-F]+$/.test(digits))
    throw new JinjaError("TemplateSyntaxError", `truncated \\${whole[1]}${"X".repeat(length)} escape`);
  const code = Number.parseInt(digits, 16);
  if (code > 0x10ffff) throw new JinjaError("TemplateSyntaxError", "illegal Unicode character");
  if (code >= 0xd800 && code <= 0xdfff) throw unsupported(`half a character (${whole})`);
  return String.fromCodePoint(code);
}
