/** Whether text is well-formed XML, as far as pictures use it: elements, attributes, text, the five entities and numbers. */
const NAME = String.raw`[A-Za-z_][\w:.-]*`;
const TAG = new RegExp(
  String.raw`<(?:(?<end>/${NAME})\s*|(?<start>${NAME})(?<attributes>(?:\s+${NAME}\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(?<empty>/?))>`,
  "y",
);
const TEXT = /[^<]+/y;
const FORBIDDEN = [
  ["a character that XML has not", /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Surrogate}/u],
  ["an unknown entity", /&(?!(?:lt|gt|amp|quot|apos|#\d+|#x[\da-fA-F]+);)/],
] as const;

export function expectWellFormed(xml: string): void {
  const fail = failing(xml);
  for (const [what, pattern] of FORBIDDEN) {
    const found = pattern.exec(xml);
    if (found) fail(what, found.index);
  }
  const elements = new Elements(fail);
  for (let at = /^<\?xml [^?]*\?>/.exec(xml)?.[0].length ?? 0; at < xml.length; ) {
    TEXT.lastIndex = TAG.lastIndex = at;
    const text = TEXT.exec(xml);
    if (text) elements.text(text[0], at);
    else elements.tag(TAG.exec(xml)?.groups ?? fail("no tag", at), at);
    at = text ? TEXT.lastIndex : TAG.lastIndex;
  }
  elements.end(xml.length);
}

type Fail = (what: string, at: number) => never;

const failing =
  (xml: string): Fail =>
  (what, at) => {
    throw new Error(`${what} at ${at}: ${xml.slice(Math.max(0, at - 40), at + 40)}`);
  };

/** The elements that are open. */
class Elements {
  private readonly open: string[] = [];
  private roots = 0;

  constructor(private readonly fail: Fail) {}

  text(text: string, at: number): void {
    if (this.open.length === 0 && text.trim() !== "") this.fail("text outside", at);
  }

  tag({ end, start, attributes = "", empty }: Record<string, string | undefined>, at: number): void {
    if (end !== undefined && this.open.pop() !== end.slice(1)) this.fail(`<${end}> closes another`, at);
    if (start === undefined) return;
    if (this.open.length === 0 && ++this.roots > 1) this.fail("a second root", at);
    const names = [...attributes.matchAll(new RegExp(`(${NAME})\\s*=\\s*(?:"[^"]*"|'[^']*')`, "g"))].map(([, name]) => name);
    if (new Set(names).size < names.length) this.fail("an attribute twice", at);
    if (empty === "") this.open.push(start);
  }

  end(at: number): void {
    if (this.open.length > 0 || this.roots === 0) this.fail(`not closed: ${this.open.join(", ")}`, at);
  }
}
