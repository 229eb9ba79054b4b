/**
 * Limits of how much a tokenizer's steps may lengthen a text: a few replacements that each double it would exhaust the
 * memory.
 */
import { TokenizerError } from "./errors";

/** Characters that normalizers may make of a text. Unicode's normalization forms make at most 18 of one. */
export function roomFor(characters: number): number {
  return 2 ** 20 + 32 * characters;
}

/**
 * Refuses a replacement whose result has more characters than `room`, before it is made.
 *
 * @param length characters that replace each match
 */
export function expectRoom(text: string, pattern: RegExp, length: number, room: number, place: string): void {
  if (text.length + (text.length + 1) * length <= room) return;
  let characters = text.length;
  for (const [match] of text.matchAll(pattern)) characters += length - match.length;
  if (characters > room)
    throw new TokenizerError(`Expected ${place} to make a text of at most ${room} characters but it makes one of ${characters}`);
}

/** Characters that a decoder may make of the tokens of a text. */
const MOST_DECODED = 2 ** 22;

/** Refuses replacements in tokens that make a text of more than {@link MOST_DECODED} characters. */
export function expectRoomInTokens(tokens: readonly string[], from: string, length: number, place: string): void {
  if (length <= from.length) return;
  let characters = 0;
  for (const token of tokens) {
    characters += token.length;
    if (from === "") characters += (token.length + 1) * length;
    else
      for (let at = token.indexOf(from); at >= 0; at = token.indexOf(from, at + from.length)) characters += length - from.length;
    if (characters > MOST_DECODED)
      throw new TokenizerError(`Expected ${place} to make a text of at most ${MOST_DECODED} characters but it makes more`);
  }
}
