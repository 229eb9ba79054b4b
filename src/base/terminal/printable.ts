/** Makes text from files and models safe to print on a terminal. */

/**
 * Escapes control characters, except newlines and tabs, so that data cannot move the cursor, clear the screen or set
 * the window's title: `\x1b` is shown as those four characters. Bidirectional controls, which reorder text, are escaped
 * too.
 */
export function printable(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0)!;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : unicodeEscape(code);
  });
}

/** JSON of `value` with the control characters that `JSON.stringify` leaves (DEL, C1, bidirectional ones) escaped. */
export function printableJson(value: unknown, indent?: number): string {
  return escapeJson(JSON.stringify(value, null, indent));
}

/**
 * As {@link printableJson}, for JSON that is already serialised. The value stays the same: such characters occur only
 * in strings.
 */
export function escapeJson(json: string): string {
  return json.replace(UNSAFE, (character) => unicodeEscape(character.codePointAt(0)!));
}

const unicodeEscape = (code: number): string => `\\u${code.toString(16).padStart(4, "0")}`;

/** C0 without \t and \n, DEL, C1, and the bidirectional embeddings, overrides and isolates. */
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;
