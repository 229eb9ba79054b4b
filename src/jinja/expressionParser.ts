/** Parses expressions and targets, as jinja2/parser.py does. */
import { JinjaError, unsupported } from "./errors";
import { PyFloat } from "./float";
import { OPERATOR_TEXT, type Token, type TokenType } from "./lexer";
import { tooDeep } from "./limits";
import type { Arguments, Call, Expression, Name, Slice } from "./nodes";

/** Maximum nesting of brackets, blocks and signs. Jinja2 is limited by Python's 1000 frames, some 80 brackets. */
const MOST_LEVELS = 200;

const COMPARISONS: Partial<Record<TokenType, "==" | "!=" | "<" | "<=" | ">" | ">=">> = {
  eq: "==",
  ne: "!=",
  lt: "<",
  lteq: "<=",
  gt: ">",
  gteq: ">=",
};

/** An expected token: a type, or a type and a value as in `name:endif`. */
export type Wanted = TokenType | `name:${string}`;

const DESCRIPTIONS: Partial<Record<TokenType, string>> = {
  block_begin: "begin of statement block",
  block_end: "end of statement block",
  variable_begin: "begin of print statement",
  variable_end: "end of print statement",
  data: "template data / text",
  eof: "end of template",
};

/** An expected token in a message. */
export function describe(wanted: Wanted): string {
  if (wanted.startsWith("name:")) return wanted.slice(5);
  return OPERATOR_TEXT[wanted as keyof typeof OPERATOR_TEXT] ?? DESCRIPTIONS[wanted as TokenType] ?? wanted;
}

/** The tokens, and the parser of expressions; {@link Parser} adds statements. */
export class ExpressionParser {
  private at = 0;
  private level = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  protected get current(): Token {
    return this.tokenAt(this.at);
  }

  private get following(): Token {
    return this.tokenAt(Math.min(this.at + 1, this.tokens.length - 1));
  }

  private tokenAt(index: number): Token {
    const token = this.tokens[index]!;
    if (token.error) throw token.error;
    return token;
  }

  protected next(): Token {
    const token = this.current;
    if (token.type !== "eof") this.at++;
    return token;
  }

  protected fail(message: string, line = this.current.line): never {
    throw new JinjaError("TemplateSyntaxError", message, line);
  }

  protected is(wanted: Wanted, token = this.current): boolean {
    return wanted.startsWith("name:") ? token.type === "name" && token.value === wanted.slice(5) : token.type === wanted;
  }

  protected skipIf(wanted: Wanted): boolean {
    if (!this.is(wanted)) return false;
    this.next();
    return true;
  }

  protected expect(wanted: Wanted): Token {
    if (this.is(wanted)) return this.next();
    if (this.current.type === "eof") this.fail(`unexpected end of template, expected '${describe(wanted)}'.`);
    this.fail(`expected token '${describe(wanted)}', got '${this.shown(this.current)}'`);
  }

  private shown(token: Token): string {
    return token.type === "name" ? token.value : describe(token.type);
  }

  protected nested<T>(work: () => T): T {
    if (++this.level > MOST_LEVELS) throw tooDeep();
    const result = work();
    this.level--;
    return result;
  }

  // Targets

  protected nameTarget(context: "store" | "param"): Name {
    const token = this.expect("name");
    if (/^(?:[tT]rue|[fF]alse|[nN]one)$/.test(token.value)) this.fail("can't assign to 'name'", token.line);
    return { type: "Name", name: token.value, context, line: token.line };
  }

  protected target({ end, isNamespace = false }: { end?: Wanted; isNamespace?: boolean }): Expression {
    const target = this.tuple({ isTarget: true, isNamespace, end });
    return this.stored(target);
  }

  private stored(target: Expression): Expression {
    if (target.type === "Name") return { ...target, context: "store" };
    if (target.type === "NamespaceRef") return target;
    if (target.type === "Tuple") {
      const wrong = (node: Expression): boolean =>
        node.type === "Tuple" ? node.items.some(wrong) : node.type !== "Name" && node.type !== "NamespaceRef";
      if (wrong(target)) this.fail("can't assign to 'tuple'", target.line);
      return { ...target, items: target.items.map((item) => this.stored(item)) };
    }
    this.fail(`can't assign to '${target.type.toLowerCase()}'`, target.line);
  }

  // Expressions

  protected expression(isConditional = true): Expression {
    return this.nested(() => (isConditional ? this.conditional() : this.or()));
  }

  private conditional(): Expression {
    let { line } = this.current;
    let then = this.or();
    while (this.skipIf("name:if")) {
      const test = this.or();
      const otherwise = this.skipIf("name:else") ? this.nested(() => this.conditional()) : undefined;
      then = { type: "Conditional", test, then, otherwise, line };
      ({ line } = this.current);
    }
    return then;
  }

  private or(): Expression {
    let { line } = this.current;
    let left = this.and();
    while (this.skipIf("name:or")) {
      left = { type: "Or", left, right: this.and(), line };
      ({ line } = this.current);
    }
    return left;
  }

  private and(): Expression {
    let { line } = this.current;
    let left = this.not();
    while (this.skipIf("name:and")) {
      left = { type: "And", left, right: this.not(), line };
      ({ line } = this.current);
    }
    return left;
  }

  private not(): Expression {
    if (!this.is("name:not")) return this.compare();
    const { line } = this.next();
    return { type: "Unary", operator: "not", operand: this.nested(() => this.not()), line };
  }

  private compare(): Expression {
    let { line } = this.current;
    const left = this.sum();
    const operands: { operator: (typeof COMPARISONS)["eq"] | "in" | "not in"; right: Expression }[] = [];
    for (;;) {
      const operator = COMPARISONS[this.current.type];
      if (operator !== undefined) {
        this.next();
        operands.push({ operator, right: this.sum() });
      } else if (this.skipIf("name:in")) operands.push({ operator: "in", right: this.sum() });
      else if (this.is("name:not") && this.is("name:in", this.following)) {
        this.next();
        this.next();
        operands.push({ operator: "not in", right: this.sum() });
      } else break;
      ({ line } = this.current);
    }
    if (operands.length === 0) return left;
    return { type: "Compare", left, operands: operands as never, line };
  }

  private sum(): Expression {
    let { line } = this.current;
    let left = this.concat();
    while (this.current.type === "add" || this.current.type === "sub") {
      const operator = this.next().value as "+";
      left = { type: "Binary", operator, left, right: this.concat(), line };
      ({ line } = this.current);
    }
    return left;
  }

  private concat(): Expression {
    const { line } = this.current;
    const items = [this.product()];
    while (this.skipIf("tilde")) items.push(this.product());
    return items.length === 1 ? items[0]! : { type: "Concat", items, line };
  }

  private product(): Expression {
    let { line } = this.current;
    let left = this.power();
    while (/^(?:mul|div|floordiv|mod)$/.test(this.current.type)) {
      const operator = this.next().value as "*";
      left = { type: "Binary", operator, left, right: this.power(), line };
      ({ line } = this.current);
    }
    return left;
  }

  private power(): Expression {
    let { line } = this.current;
    let left = this.unary();
    while (this.skipIf("pow")) {
      left = { type: "Binary", operator: "**", left, right: this.unary(), line };
      ({ line } = this.current);
    }
    return left;
  }

  private unary(hasFilters = true): Expression {
    const { type, line } = this.current;
    let node: Expression;
    if (type === "sub" || type === "add") {
      const operator = this.next().value as "-";
      node = { type: "Unary", operator, operand: this.nested(() => this.unary(false)), line };
    } else node = this.primary();
    node = this.postfix(node);
    return hasFilters ? this.filterExpression(node) : node;
  }

  private primary(isNamespace = false): Expression {
    const token = this.next();
    const { line, value } = token;
    switch (token.type) {
      case "name":
        if (/^[tT]rue$/.test(value)) return { type: "Const", value: true, line };
        if (/^[fF]alse$/.test(value)) return { type: "Const", value: false, line };
        if (/^[nN]one$/.test(value)) return { type: "Const", value: null, line };
        if (isNamespace && this.skipIf("dot"))
          return { type: "NamespaceRef", name: value, attribute: this.expect("name").value, line };
        return { type: "Name", name: value, context: "load", line };
      case "string": {
        let text = value;
        while (this.current.type === "string") text += this.next().value;
        return { type: "Const", value: text, line };
      }
      case "integer":
        return { type: "Const", value: token.number!, line };
      case "float": {
        const number = Number(value);
        if (!Number.isFinite(number)) throw unsupported(`the number ${value}, which is infinite,`, line);
        return { type: "Const", value: new PyFloat(number), line };
      }
      case "lparen": {
        const node = this.tuple({ isParenthesized: true });
        this.expect("rparen");
        return node;
      }
      case "lbracket":
        return { type: "List", items: this.items("rbracket", () => this.expression()), line };
      case "lbrace": {
        const pair = () => {
          const key = this.expression();
          this.expect("colon");
          return { key, value: this.expression() };
        };
        return { type: "Dict", items: this.items("rbrace", pair), line };
      }
      default:
        return this.fail(`unexpected '${this.shown(token)}'`, line);
    }
  }

  /** Comma-separated items up to a bracket. */
  private items<T>(close: TokenType, item: () => T): T[] {
    const items: T[] = [];
    while (this.current.type !== close) {
      if (items.length > 0) this.expect("comma");
      if (this.current.type === close) break;
      items.push(item());
    }
    this.expect(close);
    return items;
  }

  protected tuple({
    isTarget = false,
    isConditional = true,
    isNamespace = false,
    isParenthesized = false,
    end,
  }: {
    isTarget?: boolean;
    isConditional?: boolean;
    isNamespace?: boolean;
    isParenthesized?: boolean;
    end?: Wanted | undefined;
  } = {}): Expression {
    let { line } = this.current;
    const items: Expression[] = [];
    let isTuple = false;
    for (;;) {
      if (items.length > 0) this.expect("comma");
      const { type } = this.current;
      if (type === "variable_end" || type === "block_end" || type === "rparen" || (end && this.is(end))) break;
      items.push(isTarget ? this.nested(() => this.primary(isNamespace)) : this.expression(isConditional));
      if (this.current.type !== "comma") break;
      isTuple = true;
      ({ line } = this.current);
    }
    if (!isTuple) {
      if (items.length > 0) return items[0]!;
      if (!isParenthesized) this.fail(`Expected an expression, got '${this.shown(this.current)}'`);
    }
    return { type: "Tuple", items, line };
  }

  private postfix(start: Expression): Expression {
    let node = start;
    for (;;) {
      if (this.current.type === "dot" || this.current.type === "lbracket") node = this.subscript(node);
      else if (this.current.type === "lparen") node = this.call(node);
      else return node;
    }
  }

  private filterExpression(start: Expression): Expression {
    let node = start;
    for (;;) {
      if (this.current.type === "pipe") node = this.filters(node)!;
      else if (this.is("name:is")) node = this.test(node);
      else if (this.current.type === "lparen") node = this.call(node);
      else return node;
    }
  }

  private subscript(object: Expression): Expression {
    const token = this.next();
    const { line } = token;
    if (token.type === "dot") {
      const name = this.next();
      if (name.type === "name") return { type: "GetAttribute", object, attribute: name.value, line };
      if (name.type !== "integer") this.fail("expected name or number", name.line);
      return { type: "GetItem", object, key: { type: "Const", value: name.number!, line: name.line }, line };
    }
    const keys: Expression[] = [];
    while (this.current.type !== "rbracket") {
      if (keys.length > 0) this.expect("comma");
      keys.push(this.subscribed());
    }
    this.expect("rbracket");
    if (keys.length === 1) return { type: "GetItem", object, key: keys[0]!, line };
    if (keys.some((key) => key.type === "Slice")) this.fail("invalid syntax", line);
    return { type: "GetItem", object, key: { type: "Tuple", items: keys, line }, line };
  }

  private subscribed(): Expression {
    const { line } = this.current;
    let start: Expression | undefined;
    if (!this.is("colon")) {
      start = this.expression();
      if (!this.is("colon")) return start;
    }
    this.next();
    const isEnd = () => this.current.type === "rbracket" || this.current.type === "comma";
    const stop = this.current.type === "colon" || isEnd() ? undefined : this.expression();
    const step = this.skipIf("colon") && !isEnd() ? this.expression() : undefined;
    const slice: Slice = { type: "Slice", start, stop, step, line };
    return slice;
  }

  private callArguments(): Arguments {
    const { line } = this.expect("lparen");
    const args: Expression[] = [];
    const keywords: { name: string; value: Expression }[] = [];
    let [spread, keywordSpread]: (Expression | undefined)[] = [];
    const ensure = (isValid: boolean) => {
      if (!isValid) this.fail("invalid syntax for function call expression", line);
    };
    for (let isFirst = true; this.current.type !== "rparen"; isFirst = false) {
      if (!isFirst) {
        this.expect("comma");
        if (this.is("rparen")) break;
      }
      if (this.is("mul")) {
        ensure(spread === undefined && keywordSpread === undefined);
        this.next();
        spread = this.expression();
      } else if (this.is("pow")) {
        ensure(keywordSpread === undefined);
        this.next();
        keywordSpread = this.expression();
      } else if (this.current.type === "name" && this.following.type === "assign") {
        ensure(keywordSpread === undefined);
        const name = this.next().value;
        this.next();
        if (keywords.some((each) => each.name === name)) this.fail(`keyword argument repeated: ${name}`, line);
        keywords.push({ name, value: this.expression() });
      } else {
        ensure(spread === undefined && keywordSpread === undefined && keywords.length === 0);
        args.push(this.expression());
      }
    }
    this.expect("rparen");
    return { args, keywords, spread, keywordSpread };
  }

  private call(callee: Expression): Call {
    const { line } = this.current;
    return { type: "Call", callee, ...this.callArguments(), line };
  }

  private dottedName(): string {
    let name = this.expect("name").value;
    while (this.skipIf("dot")) name += `.${this.expect("name").value}`;
    return name;
  }

  protected filters(start: Expression | undefined, isInline = false): Expression | undefined {
    let node = start;
    for (let isFirst = isInline; isFirst || this.current.type === "pipe"; isFirst = false) {
      if (!isFirst) this.next();
      const { line } = this.current;
      const name = this.dottedName();
      node = { type: "Filter", operand: node, name, ...this.optionalArguments(), line };
    }
    return node;
  }

  private optionalArguments(): Arguments {
    if (this.current.type === "lparen") return this.callArguments();
    return { args: [], keywords: [], spread: undefined, keywordSpread: undefined };
  }

  private test(operand: Expression): Expression {
    const { line } = this.next();
    const isNegated = this.skipIf("name:not");
    const name = this.dottedName();
    let given = this.optionalArgumentsOfTest();
    if (given === undefined) {
      if (this.is("name:is")) this.fail("You cannot chain multiple tests with is");
      const arg = this.nested(() => this.postfix(this.primary()));
      given = { args: [arg], keywords: [], spread: undefined, keywordSpread: undefined };
    }
    const test: Expression = { type: "Test", operand, name, ...given, line };
    return isNegated ? { type: "Unary", operator: "not", operand: test, line } : test;
  }

  /** Undefined if a single argument without brackets follows. */
  private optionalArgumentsOfTest(): Arguments | undefined {
    const { type } = this.current;
    const isArgument = /^(?:name|string|integer|float|lbracket|lbrace)$/.test(type);
    if (type === "lparen" || !isArgument) return this.optionalArguments();
    const ends = this.is("name:else") || this.is("name:or") || this.is("name:and");
    return ends ? this.optionalArguments() : undefined;
  }
}
