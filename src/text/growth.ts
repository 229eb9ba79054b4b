/** Texts that a tokenizer's steps make longer: a few replacements in a row, each doubling it, would fill the memory. */
import { TokenizerError } from "./errors";

/** Characters that a text may have after a replacement. */
export const MOST_CHARACTERS = 2 ** 26;

/**
 * Refuses a replacement whose result has more than {@link MOST_CHARACTERS}, before it is made.
 *
 * @param length of what each match is replaced with
 */
export function expectRoom(text: string, pattern: RegExp, length: number, place: string): void {
  if (text.length + (text.length + 1) * length <= MOST_CHARACTERS) return;
  let characters = text.length;
  for (const [match] of text.matchAll(pattern)) characters += length - match.length;
  if (characters > MOST_CHARACTERS)
    throw new TokenizerError(
      `Expected ${place} to make a text of at most ${MOST_CHARACTERS} characters but it makes one of ${characters}`,
    );
}
