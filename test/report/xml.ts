/** Whether text is well-formed XML, as far as pictures use it: elements, attributes, text, the five entities and numbers. */
const NAME = String.raw`[A-Za-z_][\w:.-]*`;
const TAG = new RegExp(
  String.raw`<(?:(?<end>/${NAME})\s*|(?<start>${NAME})(?<attributes>(?:\s+${NAME}\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(?<empty>/?))>`,
  "y",
);
const TEXT = /[^<]+/y;

export function expectWellFormed(xml: string): void {
  expectCharacters(xml);
  const open: string[] = [];
  let roots = 0;
  for (let at = /^<\?xml [^?]*\?>/.exec(xml)?.[0].length ?? 0; at < xml.length; ) {
    TEXT.lastIndex = TAG.lastIndex = at;
    const text = TEXT.exec(xml);
    if (text) {
      if (open.length === 0 && text[0].trim() !== "") fail(xml, "text outside", at);
      at = TEXT.lastIndex;
      continue;
    }
    const tag = TAG.exec(xml)?.groups ?? fail(xml, "no tag", at);
    if (tag["start"] !== undefined && open.length === 0 && ++roots > 1) fail(xml, "a second root", at);
    follow(tag, open, (what) => fail(xml, what, at));
    at = TAG.lastIndex;
  }
  if (open.length > 0 || roots === 0) fail(xml, `not closed: ${open.join(", ")}`, xml.length);
}

/** Keeps the list of open elements up to date with a tag. */
function follow({ end, start, attributes = "", empty }: Record<string, string>, open: string[], fail: (what: string) => never) {
  if (end !== undefined && open.pop() !== end.slice(1)) fail(`<${end}> closes another`);
  if (start === undefined) return;
  if (hasTwice(attributes)) fail("an attribute twice");
  if (empty === "") open.push(start);
}

function expectCharacters(xml: string): void {
  const forbidden = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Surrogate}/u.exec(xml);
  if (forbidden) fail(xml, "a character that XML has not", forbidden.index);
  const entity = /&(?!(?:lt|gt|amp|quot|apos|#\d+|#x[\da-fA-F]+);)/.exec(xml);
  if (entity) fail(xml, "an unknown entity", entity.index);
}

function hasTwice(attributes: string): boolean {
  const names = [...attributes.matchAll(new RegExp(`(${NAME})\\s*=\\s*(?:"[^"]*"|'[^']*')`, "g"))].map(([, name]) => name);
  return new Set(names).size < names.length;
}

function fail(xml: string, what: string, at: number): never {
  throw new Error(`${what} at ${at}: ${xml.slice(Math.max(0, at - 40), at + 40)}`);
}
