/** HTML templates that escape every value, except HTML made the same way; and numbers as text. */

/** Text that is HTML already. */
export class Html {
  constructor(readonly text: string) {}

  toString(): string {
    return this.text;
  }
}

/** What a template takes. */
export type Content = string | number | Html | readonly Content[];

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Escapes text for element content and quoted attributes. */
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);

/**
 * Builds HTML; lists are joined without a separator.
 *
 * ```ts
 * html`<p title="${"a \"b\""}">${"1 < 2"}</p>`.text; // <p title="a &quot;b&quot;">1 &lt; 2</p>
 * ```
 */
export function html(strings: TemplateStringsArray, ...values: Content[]): Html {
  return new Html(strings.reduce((text, part, i) => text + render(values[i - 1]!) + part));
}

/** A name that may break across lines after _ and /. */
export const breakable = (name: string): Html => new Html(escapeHtml(name).replace(/[_/]/g, "$&<wbr>"));

/** Numbers with a minus sign instead of a hyphen. */
export const withMinus = (text: string): string => text.replace(/-(?=\d)/g, "−");

function render(value: Content): string {
  if (value instanceof Html) return value.text;
  if (typeof value === "object") return value.map(render).join("");
  return escapeHtml(String(value));
}

/** Four digits, and no more than are needed: 12.35, 1200, 5e−5. */
export function short(value: number): string {
  if (Number.isInteger(value)) return withMinus(String(value));
  const text = Math.abs(value) < 1e-3 ? value.toExponential(2).replace(/\.?0+e/, "e") : String(Number(value.toPrecision(4)));
  return text.replaceAll("-", "−");
}

/** Two decimals, always with a sign. */
export const signed = (value: number): string => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
