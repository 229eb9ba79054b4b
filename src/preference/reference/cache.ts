/**
 * Reference log-probs on disk, one entry per pair. The key is what they depend on and nothing else: the content of the
 * reference model and the tokens of the pair. A run with another learning rate, beta, loss or output folder reuses them.
 *
 * Processes share the folder. Every entry is verified when it is read; a damaged one counts as missing and is computed
 * again (base/records).
 */
import { createHash } from "node:crypto";
import { accessSync, constants, statfsSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../../base/errors";
import { makeFolder } from "../../base/files/wholeFiles";
import { expectPath } from "../../base/options";
import { cacheFolder } from "../../base/package";
import { type RecordEntry, RecordStore } from "../../base/records/store";
import { answersOf, type TokenizedAnswer, type TokenizedPair } from "../../data/tokenize/tokenizedPair";
import type { AnswerLogProbs, LogProbs } from "../packed/step";

/** Log-probs of each completion token under the reference, in nats; float64 where the model is. */
export type ReferenceLogProbs = Readonly<AnswerLogProbs>;

/** Prefix of the files' names: another meaning of keys or values needs another prefix. Format 1 was LMDB's. */
const NAME = "logprobs-2";
/** Bytes that must stay free. */
const SPARE = 1 << 20;

export class ReferenceCache {
  private constructor(
    readonly folder: string,
    private readonly store: RecordStore,
  ) {}

  /**
   * Opens the cache in a folder, which is created if it is missing; the user's cache folder when left out.
   *
   * @throws InputError when the folder cannot be written to
   */
  static async open(folder = join(cacheFolder(process.env), "reference")): Promise<ReferenceCache> {
    expectPath(folder, "folder", "a folder");
    try {
      makeFolder(folder);
      accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
      expectRoom(folder, 0);
      return new ReferenceCache(folder, await RecordStore.open(folder, NAME));
    } catch (error) {
      if (!isSystemError(error)) throw error;
      throw new InputError(
        `Expected a folder for the reference cache that can be written to at ${folder} but received: ` +
          `${error.message}. Name another with reference_cache, or set XDG_CACHE_HOME`,
        { cause: error },
      );
    }
  }

  /** The values of a pair under the reference with this fingerprint, if cached. */
  get(reference: string, pair: TokenizedPair): ReferenceLogProbs | undefined {
    const value = this.store.get(keyOf(reference, pair));
    return value && decode(value, pair);
  }

  /**
   * Stores entries; when the promise resolves they survive a power cut.
   *
   * @throws InputError when there is no room for them; what was stored before stays
   */
  async put(reference: string, entries: Iterable<readonly [TokenizedPair, ReferenceLogProbs]>): Promise<void> {
    const records = [...entries].map(([pair, values]): RecordEntry => [keyOf(reference, pair), encode(values, pair)]);
    expectRoom(
      this.folder,
      records.reduce((sum, [, value]) => sum + value.length, 0),
    );
    try {
      await this.store.put(records);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      throw new InputError(
        `Expected to write to the reference cache in ${this.folder} but received: ${error.message}; what was stored before ` +
          "is kept. Free some space, or name another folder with reference_cache",
        { cause: error },
      );
    }
  }

  /** Describes the damage found since the last call, one line per file. */
  takeProblems(): string[] {
    return this.store.takeProblems();
  }

  async close(): Promise<void> {
    await this.store.close();
  }
}

/** Reports a full disk before the first row is computed; writing reports it in any case. */
function expectRoom(folder: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(folder);
  const needed = bytes + SPARE;
  if (bavail * bsize >= needed) return;
  throw new InputError(
    `Expected ${Math.ceil(needed / 2 ** 20)} MiB free for the reference cache in ${folder} but received ` +
      `${Math.floor((bavail * bsize) / 2 ** 20)}; free some, or name another folder with reference_cache`,
  );
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && (error as NodeJS.ErrnoException).syscall !== undefined;
}

function keyOf(reference: string, pair: TokenizedPair): Buffer {
  const hash = createHash("sha256").update(reference);
  for (const { ids, start } of answersOf(pair)) hash.update(Uint32Array.of(ids.length, start)).update(ids);
  return hash.digest();
}

/** The values of the chosen answer, then those of the rejected one. */
function encode({ chosen, rejected }: ReferenceLogProbs, pair: TokenizedPair): Uint8Array {
  for (const [name, values, answer] of [
    ["chosen", chosen, pair.chosen],
    ["rejected", rejected, pair.rejected],
  ] as const) {
    if (values.length !== completionTokens(answer))
      throw new RangeError(
        `Expected ${completionTokens(answer)} log-probs for '${name}' of row ${pair.index} but received ${values.length}`,
      );
    if (!values.every(Number.isFinite))
      throw new RangeError(`Expected finite log-probs for '${name}' of row ${pair.index} but received NaN or infinity`);
  }
  return Buffer.concat([bytesOf(chosen), bytesOf(rejected)]);
}

/** Undefined when the value is not one of this pair's: of another length, or with NaN or infinity in it. */
function decode(value: Uint8Array, { chosen, rejected }: TokenizedPair): ReferenceLogProbs | undefined {
  const [first, second] = [completionTokens(chosen), completionTokens(rejected)];
  const Values = value.length === 8 * (first + second) ? Float64Array : Float32Array;
  if (value.length !== Values.BYTES_PER_ELEMENT * (first + second)) return undefined;
  const values = new Values(value.buffer as ArrayBuffer, value.byteOffset, first + second);
  return values.every(Number.isFinite) ? { chosen: values.subarray(0, first), rejected: values.subarray(first) } : undefined;
}

/** 0 for an answer that is not there. */
function completionTokens(answer: TokenizedAnswer | undefined): number {
  return answer ? answer.ids.length - answer.start : 0;
}

function bytesOf({ buffer, byteOffset, byteLength }: LogProbs): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
