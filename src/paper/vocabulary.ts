/**
 * A vocabulary of words and digits made from texts, for the small models of the experiment. A piece is a word or a run
 * of signs with the space on either side of it, a single digit, or a single space or line break: `28 + 10 = 38.` is
 * `2`, `8`, ` + `, `1`, `0`, ` = `, `3`, `8`, `.`. Decoding is joining, so every text comes back as it was. A piece
 * that is not frequent enough to be in the vocabulary is spelled by its characters.
 *
 * Not a tokenizer for real models: no merges, no bytes, no special tokens in text, and only the texts it was made of
 * are sure to be encoded.
 */

import type { TokenizedAnswer } from "../data/tokenize/tokenizedPair";

const PIECE = / ?\p{L}+ ?|\p{N}| ?[^\s\p{L}\p{N}]+ ?|\s/gu;

/** Cuts a text into pieces; joined they are the text again. */
export function splitIntoPieces(text: string): string[] {
  return text.match(PIECE) ?? [];
}

export class Vocabulary {
  /** The token that ends an answer; it decodes to nothing. */
  readonly endId = 0;
  private readonly ids: Map<string, number>;

  private constructor(private readonly pieces: readonly string[]) {
    this.ids = new Map(pieces.map((piece, i) => [piece, i + 1]));
  }

  /**
   * Makes the vocabulary of the given texts.
   *
   * @param maxPieces the most frequent pieces kept; the characters of all others are added to them
   *
   * ```ts
   * const vocabulary = Vocabulary.of(["28 + 10 = 38."]);
   * vocabulary.decode(vocabulary.encode("38 + 10")); // "38 + 10"
   * ```
   */
  static of(texts: Iterable<string>, maxPieces = 1024): Vocabulary {
    const counts = new Map<string, number>();
    for (const text of texts) {
      for (const piece of splitIntoPieces(text)) counts.set(piece, (counts.get(piece) ?? 0) + 1);
    }
    const byFrequency = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([piece]) => piece);
    const characters = new Set(byFrequency.slice(maxPieces).flatMap((piece) => [...piece]));
    return new Vocabulary([...new Set([...byFrequency.slice(0, maxPieces), ...[...characters].sort()])]);
  }

  /** Number of ids, the end token included. */
  get size(): number {
    return this.pieces.length + 1;
  }

  /** The ids of a text, without the end token. */
  encode(text: string): number[] {
    return splitIntoPieces(text).flatMap((piece) => this.ids.get(piece) ?? this.spell(piece));
  }

  /** An answer behind its prompt, with the end token. */
  encodeAnswer(prompt: string, answer: string): TokenizedAnswer {
    const before = this.encode(prompt);
    return { ids: Int32Array.from([...before, ...this.encode(answer), this.endId]), start: before.length };
  }

  /** The text of ids; end tokens decode to nothing. */
  decode(ids: Iterable<number>): string {
    return Array.from(ids, (id) => this.piece(id)).join("");
  }

  /** The text of one id; empty for the end token. */
  piece(id: number): string {
    if (id === this.endId) return "";
    const piece = this.pieces[id - 1];
    if (piece === undefined) throw new RangeError(`Expected an id below ${this.size} but received ${id}`);
    return piece;
  }

  private spell(piece: string): number[] {
    return [...piece].map((character) => {
      const id = this.ids.get(character);
      if (id !== undefined) return id;
      throw new RangeError(`Expected a piece of the vocabulary's texts but received ${JSON.stringify(piece)}`);
    });
  }
}
