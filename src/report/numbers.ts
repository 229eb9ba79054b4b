/** Numbers for people: the ones behind a picture as a table that opens when it is asked for, and how many digits. */
import { type Html, html, withMinus } from "./html";

/** A cell that is null has no number. */
export type Numbers = readonly (readonly (number | null)[])[];

/** `format` writes what is no integer. */
export function numbersTable(heads: readonly string[], rows: Numbers, format: (value: number) => string): Html {
  const text = (value: number | null) =>
    value === null ? "" : withMinus(Number.isInteger(value) ? String(value) : format(value));
  return html`<details><summary>The numbers</summary><div class="scroll"><table>
<thead><tr>${heads.map((head) => html`<th>${head}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map((value) => html`<td>${text(value)}</td>`)}</tr>`)}</tbody>
</table></div></details>`;
}

/** Four digits, and no more than are needed: 12.35, 1200, 5e−5. */
export function short(value: number): string {
  if (Number.isInteger(value)) return withMinus(String(value));
  const text = Math.abs(value) < 1e-3 ? value.toExponential(2).replace(/\.?0+e/, "e") : String(Number(value.toPrecision(4)));
  return text.replaceAll("-", "−");
}
