/** Whether text is well-formed XML, as far as pictures use it: elements, attributes, text, the five entities and numbers. */
const NAME = String.raw`[A-Za-z_][\w:.-]*`;
const TAG = new RegExp(
  String.raw`<(?:(?<end>/${NAME})\s*|(?<start>${NAME})(?<attributes>(?:\s+${NAME}\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(?<empty>/?))>`,
  "y",
);
const TEXT = /[^<]+/y;

export function expectWellFormed(xml: string): void {
  const fail = (what: string, at: number): never => {
    throw new Error(`${what} at ${at}: ${xml.slice(Math.max(0, at - 40), at + 40)}`);
  };
  const forbidden = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Surrogate}/u.exec(xml);
  if (forbidden) fail("a character that XML has not", forbidden.index);
  const entity = /&(?!(?:lt|gt|amp|quot|apos|#\d+|#x[\da-fA-F]+);)/.exec(xml);
  if (entity) fail("an unknown entity", entity.index);
  const open: string[] = [];
  let roots = 0;
  for (let at = /^<\?xml [^?]*\?>/.exec(xml)?.[0].length ?? 0; at < xml.length; ) {
    TEXT.lastIndex = TAG.lastIndex = at;
    const text = TEXT.exec(xml);
    if (text) {
      if (open.length === 0 && text[0].trim() !== "") fail("text outside", at);
      at = TEXT.lastIndex;
      continue;
    }
    const tag = TAG.exec(xml)?.groups ?? fail("no tag", at);
    const { end, start, attributes = "", empty } = tag;
    if (end !== undefined && open.pop() !== end.slice(1)) fail(`<${end}> closes another`, at);
    if (start !== undefined) {
      if (open.length === 0 && ++roots > 1) fail("a second root", at);
      const names = [...attributes.matchAll(new RegExp(`(${NAME})\\s*=\\s*(?:"[^"]*"|'[^']*')`, "g"))].map(([, name]) => name);
      if (new Set(names).size < names.length) fail("an attribute twice", at);
      if (empty === "") open.push(start);
    }
    at = TAG.lastIndex;
  }
  if (open.length > 0 || roots === 0) fail(`not closed: ${open.join(", ")}`, xml.length);
}
