/**
 * What commands print. Text for people may hold data, a model's words, names of files and values of a configuration:
 * control characters in it are escaped, whether a terminal or a pipe reads it. JSON is valid JSON of the same value.
 */
import { printable, printableJson } from "../base/terminal/printable";

/** A share for people: "5.0 %". */
export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** A result, to standard output. */
export function print(text: string): void {
  process.stdout.write(`${printable(text)}\n`);
}

/** A result as JSON, to standard output. */
export function printJson(value: unknown, indent?: number): void {
  process.stdout.write(`${printableJson(value, indent)}\n`);
}

/** A note, a warning or an error, to standard error. */
export function tell(text: string): void {
  process.stderr.write(`${printable(text)}\n`);
}

/** JSON to standard error, where standard output holds the result itself. */
export function tellJson(value: unknown): void {
  process.stderr.write(`${printableJson(value)}\n`);
}
