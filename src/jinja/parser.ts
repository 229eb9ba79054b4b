/** Parses a template into its syntax tree, as jinja2/parser.py does. */
import { unsupported } from "./errors";
import { describe, ExpressionParser, type Wanted } from "./expressionParser";
import { type LexerOptions, type Token, tokenize } from "./lexer";
import type {
  Block,
  CallBlock,
  Data,
  Expression,
  Filter,
  For,
  Generation,
  If,
  Macro,
  Name,
  Signature,
  Statement,
  With,
} from "./nodes";
import { isBlank } from "./strings";

export interface ParserOptions extends LexerOptions {
  /** Tags that Jinja2 itself does not have. */
  readonly extensions: ReadonlySet<"break" | "continue" | "generation">;
}

/** @throws JinjaError with the line, and TemplateLimitError */
export function parse(source: string, options: ParserOptions): Statement[] {
  return new Parser(tokenize(source, options), options).parse();
}

class Parser extends ExpressionParser {
  private readonly openTags: string[] = [];
  private readonly endTags: (readonly Wanted[])[] = [];

  constructor(
    tokens: readonly Token[],
    private readonly options: ParserOptions,
  ) {
    super(tokens);
  }

  parse(): Statement[] {
    return this.body(undefined);
  }

  /** Statements up to one of the end tags, which becomes the current token. */
  private body(end: readonly Wanted[] | undefined): Statement[] {
    const statements: Statement[] = [];
    let printed: (Data | Expression)[] = [];
    const flush = () => {
      if (printed.length > 0) statements.push({ type: "Output", items: printed, line: printed[0]!.line });
      printed = [];
    };
    if (end) this.endTags.push(end);
    while (this.current.type !== "eof") {
      const token = this.next();
      if (token.type === "data") printed.push({ type: "Data", text: token.value, line: token.line });
      else if (token.type === "variable_begin") {
        printed.push(this.tuple());
        this.expect("variable_end");
      } else {
        flush();
        if (end?.some((each) => this.is(each))) {
          this.endTags.pop();
          return statements;
        }
        const statement = this.nested(() => this.statement());
        if (statement) statements.push(statement);
        this.expect("block_end");
      }
    }
    flush();
    if (end) this.endTags.pop();
    return statements;
  }

  private statements(end: readonly Wanted[]): Statement[] {
    this.skipIf("colon");
    this.expect("block_end");
    const body = this.body(end);
    if (this.current.type === "eof") this.failAtTag(undefined, [...this.endTags, end]);
    return body;
  }

  /** Statements up to an end tag, which is consumed. */
  private statementsTo(end: Wanted): Statement[] {
    const body = this.statements([end]);
    this.next();
    return body;
  }

  private failAtTag(name: string | undefined, ends: readonly (readonly Wanted[])[], line?: number): never {
    const message = [name === undefined ? "Unexpected end of template." : `Encountered unknown tag '${name}'.`];
    const looking = ends
      .at(-1)
      ?.map((each) => `'${describe(each)}'`)
      .join(" or ");
    if (looking !== undefined)
      message.push(
        name !== undefined && ends.some((each) => each.some((wanted) => describe(wanted) === name))
          ? `You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for ${looking}.`
          : `Jinja was looking for the following tags: ${looking}.`,
      );
    const open = this.openTags.at(-1);
    if (open !== undefined) message.push(`The innermost block that needs to be closed is '${open}'.`);
    this.fail(message.join(" "), line);
  }

  private statement(): Statement {
    const token = this.current;
    if (token.type !== "name") this.fail("tag name expected", token.line);
    this.openTags.push(token.value);
    const statement = this.tag(token);
    this.openTags.pop();
    return statement;
  }

  private tag({ value: name, line }: Token): Statement {
    switch (name) {
      case "for":
        return this.for();
      case "if":
        return this.if();
      case "set":
        return this.set();
      case "macro":
        return this.macro();
      case "call":
        return this.callBlock();
      case "filter":
        return this.filterBlock();
      case "with":
        return this.with();
      case "block":
        return this.block();
      case "print":
        return this.print();
      case "autoescape":
        return this.autoescape();
      case "include":
      case "import":
      case "from":
      case "extends":
        throw unsupported(`'${name}' of another template`, line);
    }
    if (this.options.extensions.has(name as "break")) {
      if (name === "generation") return this.generation();
      this.next();
      return { type: name === "break" ? "Break" : "Continue", line };
    }
    this.openTags.pop();
    this.failAtTag(name, this.endTags, line);
  }

  private for(): For {
    const { line } = this.next();
    const target = this.target({ end: "name:in" });
    this.expect("name:in");
    const iterable = this.tuple({ isConditional: false, end: "name:recursive" });
    const test = this.skipIf("name:if") ? this.expression() : undefined;
    const isRecursive = this.skipIf("name:recursive");
    const body = this.statements(["name:endfor", "name:else"]);
    const otherwise = this.next().value === "endfor" ? [] : this.statementsTo("name:endfor");
    return { type: "For", target, iterable, body, otherwise, test, isRecursive, line };
  }

  private if(): If {
    const { line } = this.next();
    const elifs: If[] = [];
    const branch = (at: number) => ({
      test: this.tuple({ isConditional: false }),
      body: this.statements(["name:elif", "name:else", "name:endif"]),
      line: at,
    });
    const first = branch(line);
    let otherwise: Statement[] = [];
    for (;;) {
      const token = this.next();
      if (token.value === "elif") {
        elifs.push({ type: "If", ...branch(this.current.line), elifs: [], otherwise: [] });
        continue;
      }
      if (token.value === "else") otherwise = this.statementsTo("name:endif");
      return { type: "If", ...first, elifs, otherwise };
    }
  }

  private set(): Statement {
    const { line } = this.next();
    const target = this.target({ isNamespace: true });
    if (this.skipIf("assign")) return { type: "Assign", target, value: this.tuple(), line };
    const filter = this.filters(undefined) as Filter | undefined;
    return { type: "AssignBlock", target, filter, body: this.statementsTo("name:endset"), line };
  }

  private with(): With {
    const { line } = this.next();
    const targets: Expression[] = [];
    const values: Expression[] = [];
    while (this.current.type !== "block_end") {
      if (targets.length > 0) this.expect("comma");
      targets.push(asParameter(this.target({})));
      this.expect("assign");
      values.push(this.expression());
    }
    return { type: "With", targets, values, body: this.statementsTo("name:endwith"), line };
  }

  private autoescape(): Statement {
    const { line } = this.next();
    const value = this.expression();
    if (value.type !== "Const" || value.value !== false) throw unsupported("'autoescape' that is on", line);
    return { type: "Scope", body: this.statementsTo("name:endautoescape"), line };
  }

  private block(): Block {
    const { line } = this.next();
    const name = this.expect("name").value;
    const isScoped = this.skipIf("name:scoped");
    const isRequired = this.skipIf("name:required");
    if (this.current.type === "sub")
      this.fail(
        "Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore instead.",
      );
    const body = this.statementsTo("name:endblock");
    const isEmpty = (statement: Statement) =>
      statement.type === "Output" && statement.items.every((item) => item.type === "Data" && isBlank(item.text));
    if (isRequired && !body.every(isEmpty)) this.fail("Required blocks can only contain comments or whitespace");
    this.skipIf(`name:${name}`);
    return { type: "Block", name, isScoped, isRequired, body, line };
  }

  private signature(): Pick<Signature, "params" | "defaults"> {
    const params: Name[] = [];
    const defaults: Expression[] = [];
    this.expect("lparen");
    while (this.current.type !== "rparen") {
      if (params.length > 0) this.expect("comma");
      const param = this.nameTarget("param");
      if (this.skipIf("assign")) defaults.push(this.expression());
      else if (defaults.length > 0) this.fail("non-default argument follows default argument");
      params.push(param);
    }
    this.expect("rparen");
    return { params, defaults };
  }

  private callBlock(): CallBlock {
    const { line } = this.next();
    const signature = this.current.type === "lparen" ? this.signature() : { params: [], defaults: [] };
    const call = this.expression();
    if (call.type !== "Call") this.fail("expected call", line);
    return { type: "CallBlock", ...signature, call, body: this.statementsTo("name:endcall"), line };
  }

  private generation(): Generation {
    const { line } = this.next();
    return { type: "Generation", params: [], defaults: [], body: this.statementsTo("name:endgeneration"), line };
  }

  private filterBlock(): Statement {
    const { line } = this.next();
    const filter = this.filters(undefined, true) as Filter;
    return { type: "FilterBlock", filter, body: this.statementsTo("name:endfilter"), line };
  }

  private macro(): Macro {
    const { line } = this.next();
    const { name } = this.nameTarget("store");
    return { type: "Macro", name, ...this.signature(), body: this.statementsTo("name:endmacro"), line };
  }

  private print(): Statement {
    const { line } = this.next();
    const items: Expression[] = [];
    while (this.current.type !== "block_end") {
      if (items.length > 0) this.expect("comma");
      items.push(this.expression());
    }
    return { type: "Output", items, line };
  }
}

function asParameter(target: Expression): Expression {
  if (target.type === "Name") return { ...target, context: "param" };
  return target.type === "Tuple" ? { ...target, items: target.items.map(asParameter) } : target;
}
