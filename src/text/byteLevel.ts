/**
 * GPT-2's characters for bytes: printable ones stand for themselves, the others for what follows U+00FF. With them a
 * token of any bytes can be written in JSON.
 */

/** The character of each byte. */
export const characterOf: readonly string[] = (() => {
  let next = 256;
  const isPrintable = (byte: number) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
})();

/** The byte of each character. */
export const byteOf: ReadonlyMap<string, number> = new Map(characterOf.map((character, byte) => [character, byte]));

const utf8 = new TextEncoder();

/** A text's bytes in these characters. */
export function byteCharacters(text: string): string {
  let written = "";
  for (const byte of utf8.encode(text)) written += characterOf[byte];
  return written;
}
