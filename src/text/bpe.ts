/**
 * Byte-pair encoding as Rust's `tokenizers` does it: symbols are merged by rank, the leftmost first among equals, until
 * no known pair is left. It stands in for the library's model, which keys its ranks by strings of JSON and takes
 * several times as long.
 *
 * Left out: dropout, prefixes and suffixes of words (checkModel refuses them).
 */
import { shown } from "../base/values";
import { TokenizerError } from "./errors";
import type { Step } from "./pipeline";

/** The longest piece that is remembered, in UTF-16 units, and how many are. */
const cached = { length: 64, pieces: 65_536 };

/** Token ids are below this, as they index arrays; the largest vocabularies have 2^18. */
export const MOST_IDS = 2 ** 24;

/** In the queue a pair is one number, rank * 2^31 + position: in order of rank, then of place. */
const positions = 2 ** 31;

export class Bpe {
  private readonly ids: Map<string, number>;
  private readonly tokens: string[] = [];
  private readonly pairs: PairTable;
  /** The token a merge makes, by rank. */
  private readonly made: Int32Array;
  private readonly bytes: (number | undefined)[];
  private readonly unk: number | undefined;
  private readonly fuseUnk: boolean;
  private readonly ignoreMerges: boolean;
  private readonly cache = new Map<string, string[]>();
  private readonly utf8 = new TextEncoder();
  // One word at a time: its symbols, and for each the place of its neighbours (-1: none). A merged one has symbol -1.
  private symbols = new Int32Array(64);
  private next = new Int32Array(64);
  private previous = new Int32Array(64);
  private readonly queue: number[] = [];

  /** `byteLevel`: whether pieces come as text, and are to be written in the characters of their bytes first. */
  constructor(
    model: Step,
    file: string,
    private readonly byteLevel = false,
  ) {
    const vocab = model.vocab as Record<string, number>;
    this.ids = new Map();
    for (const token of Object.keys(vocab)) {
      const id = vocab[token]!;
      if (!Number.isSafeInteger(id) || id < 0 || id >= MOST_IDS)
        throw new TokenizerError(
          `Expected an id for 'model.vocab[${shown(token)}]' in ${file} but received ${shown(id)}; ` +
            `ids go from 0 to ${MOST_IDS - 1}`,
        );
      this.ids.set(token, id);
      this.tokens[id] = token;
    }
    const merges = model.merges as unknown[];
    this.pairs = new PairTable(merges.length);
    this.made = new Int32Array(merges.length);
    for (let rank = 0; rank < merges.length; rank++) {
      const merge = merges[rank];
      const pair = (typeof merge === "string" ? merge.split(" ") : merge) as string[] | undefined;
      const left = this.ids.get(pair?.[0] as string);
      const right = this.ids.get(pair?.[1] as string);
      const both = left === undefined || right === undefined ? undefined : this.ids.get(pair![0]! + pair![1]!);
      if (both === undefined || pair!.length !== 2)
        throw new TokenizerError(
          `Expected a pair of tokens for 'model.merges[${rank}]' in ${file} but received ${shown(merge)}; ` +
            "both, and the two together, must be in 'model.vocab'",
        );
      this.pairs.set(left!, right!, rank);
      this.made[rank] = both;
    }
    const unk = model.unk_token as string | null | undefined;
    this.unk = unk === null || unk === undefined ? undefined : this.ids.get(unk);
    if (typeof unk === "string" && this.unk === undefined)
      throw new TokenizerError(`Expected a token of the vocabulary for 'model.unk_token' in ${file} but received ${shown(unk)}`);
    this.fuseUnk = model.fuse_unk === true;
    this.ignoreMerges = model.ignore_merges === true;
    const byteToken = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
    const fallback = model.byte_fallback === true ? 256 : 0;
    this.bytes = Array.from({ length: fallback }, (_, byte) => this.ids.get(byteToken(byte)));
  }

  /** The tokens of pieces that the pre-tokenizer has cut. */
  encode(pieces: readonly string[]): string[] {
    const tokens: string[] = [];
    for (const piece of pieces) for (const token of this.word(piece)) tokens.push(token);
    return tokens;
  }

  private word(piece: string): readonly string[] {
    const known = this.cache.get(piece);
    if (known) return known;
    const written = this.byteLevel ? byteCharacters(piece) : piece;
    const tokens = this.ignoreMerges && this.ids.has(written) ? [written] : this.merged(written);
    if (piece.length <= cached.length && this.cache.size < cached.pieces) this.cache.set(piece, tokens);
    return tokens;
  }

  private merged(word: string): string[] {
    const length = this.split(word);
    this.merge(length);
    const tokens: string[] = [];
    for (let i = 0; i < length; i++) if (this.symbols[i]! >= 0) tokens.push(this.tokens[this.symbols[i]!]!);
    return tokens;
  }

  /** Lays down one symbol a character, or the unknown token for characters that are not in the vocabulary; counts them. */
  private split(word: string): number {
    let length = 0;
    let unknown = false;
    const add = (id: number) => {
      if (length === this.symbols.length) this.grow();
      this.symbols[length++] = id;
    };
    for (const character of word) {
      const id = this.ids.get(character);
      if (id !== undefined) {
        if (unknown) add(this.unk!);
        unknown = false;
        add(id);
        continue;
      }
      const bytes = this.bytesOf(character);
      if (bytes) bytes.forEach(add);
      else if (this.unk !== undefined) {
        if (unknown && !this.fuseUnk) add(this.unk);
        unknown = true;
      }
    }
    if (unknown) add(this.unk!);
    return length;
  }

  /** The ids of a character's bytes; undefined if the vocabulary does not have all of them. */
  private bytesOf(character: string): number[] | undefined {
    if (this.bytes.length === 0) return undefined;
    const ids = Array.from(this.utf8.encode(character), (byte) => this.bytes[byte]);
    return ids.includes(undefined) ? undefined : (ids as number[]);
  }

  private merge(length: number): void {
    const { symbols, next, previous, queue, pairs, made } = this;
    queue.length = 0; // a text that a time limit stopped leaves its queue behind
    for (let i = 0; i < length; i++) {
      next[i] = i + 1 < length ? i + 1 : -1;
      previous[i] = i - 1;
      if (i + 1 < length) this.offer(i, i + 1);
    }
    while (queue.length > 0) {
      const entry = pop(queue);
      const at = entry % positions;
      const right = next[at]!;
      if (symbols[at]! < 0 || right < 0) continue;
      const rank = pairs.get(symbols[at]!, symbols[right]!);
      const token = made[Math.floor(entry / positions)]!;
      if (rank < 0 || made[rank] !== token) continue; // one of the two has been merged since
      symbols[at] = token;
      symbols[right] = -1;
      const after = next[right]!;
      next[at] = after;
      if (after >= 0) {
        previous[after] = at;
        this.offer(at, after);
      }
      if (previous[at]! >= 0) this.offer(previous[at]!, at);
    }
  }

  private offer(left: number, right: number): void {
    const rank = this.pairs.get(this.symbols[left]!, this.symbols[right]!);
    if (rank >= 0) push(this.queue, rank * positions + left);
  }

  private grow(): void {
    const { symbols } = this;
    this.symbols = new Int32Array(symbols.length * 2);
    this.symbols.set(symbols);
    this.next = new Int32Array(this.symbols.length);
    this.previous = new Int32Array(this.symbols.length);
  }
}

/** From a pair of ids to its rank: open addressing in one array, at most half full. */
class PairTable {
  private readonly slots: Int32Array; // left, right, rank + 1 (0: free)
  private readonly mask: number;

  constructor(size: number) {
    const capacity = 2 ** Math.ceil(Math.log2(2 * size + 2));
    this.slots = new Int32Array(3 * capacity);
    this.mask = capacity - 1;
  }

  /** The rank, or -1. */
  get(left: number, right: number): number {
    return this.slots[this.find(left, right) + 2]! - 1;
  }

  set(left: number, right: number, rank: number): void {
    const slot = this.find(left, right);
    this.slots[slot] = left;
    this.slots[slot + 1] = right;
    this.slots[slot + 2] = rank + 1;
  }

  /** Where the pair is, or belongs. */
  private find(left: number, right: number): number {
    let hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
    hash ^= hash >>> 15;
    for (let i = hash & this.mask; ; i = (i + 1) & this.mask) {
      const slot = 3 * i;
      if (this.slots[slot + 2] === 0 || (this.slots[slot] === left && this.slots[slot + 1] === right)) return slot;
    }
  }
}

/** Adds to a binary heap whose smallest number comes first. */
function push(heap: number[], value: number): void {
  let i = heap.push(value) - 1;
  while (i > 0) {
    const parent = (i - 1) >> 1;
    if (heap[parent]! <= value) break;
    heap[i] = heap[parent]!;
    i = parent;
  }
  heap[i] = value;
}

/** Takes the smallest number off. */
function pop(heap: number[]): number {
  const top = heap[0]!;
  const last = heap.pop()!;
  const size = heap.length;
  if (size === 0) return top;
  let i = 0;
  for (let child = 1; child < size; child = 2 * i + 1) {
    if (child + 1 < size && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= last) break;
    heap[i] = heap[child]!;
    i = child;
  }
  heap[i] = last;
  return top;
}

/**
 * GPT-2's characters for bytes: printable ones stand for themselves, the others for what follows U+00FF. With them a
 * token of any bytes can be written in JSON.
 */
const characterOf: readonly string[] = (() => {
  let next = 256;
  const isPrintable = (byte: number) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
})();

/** The byte of each character. */
export const byteOf: ReadonlyMap<string, number> = new Map(characterOf.map((character, byte) => [character, byte]));

const utf8 = new TextEncoder();

/** A text's bytes in these characters. */
function byteCharacters(text: string): string {
  let written = "";
  for (const byte of utf8.encode(text)) written += characterOf[byte];
  return written;
}
