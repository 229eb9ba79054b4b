/** HTML by template: whatever is put in is escaped, unless it is HTML made the same way. */

/** Text that is HTML already. */
export class Html {
  constructor(readonly text: string) {}

  toString(): string {
    return this.text;
  }
}

type Content = string | number | Html | readonly Content[];

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Escapes text for element content and quoted attributes. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);

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

/** A name that may go on in the next line after _ and /. */
export const breakable = (name: string): Html => new Html(escapeHtml(name).replace(/[_/]/g, "$&<wbr>"));

/** Figures with the sign of minus instead of a hyphen. */
export const withMinus = (text: string): string => text.replace(/-(?=\d)/g, "−");

function render(value: Content): string {
  if (value instanceof Html) return value.text;
  if (typeof value === "object") return value.map(render).join("");
  return escapeHtml(String(value));
}
