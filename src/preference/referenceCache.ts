/**
 * Reference log-probs on disk, one entry a pair, found by what they depend on and nothing else: the content of the
 * reference model and the tokens of the pair. Another learning rate, beta, loss or output folder finds them again.
 *
 * The store is LMDB: processes share it, and what was written stays whole under `kill -9`. Every entry carries a checksum
 * all the same; one that does not fit its pair counts as missing and is computed again.
 */
import { createHash } from "node:crypto";
import { closeSync, constants, accessSync, mkdirSync, openSync, readSync, statSync, statfsSync } from "node:fs";
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import type { RootDatabase } from "lmdb";
import type { TokenizedAnswer, TokenizedPair } from "../data/tokenizedPair";
import { InputError } from "../native/errors";
import { cacheFolder } from "../native/paths";
import type { AnswerLogProbs, LogProbs } from "./packedStep";

/** Log-probs of each completion token under the reference, in nats; float64 where the model is. */
export type ReferenceLogProbs = Readonly<AnswerLogProbs>;

/** Part of the file's name: another layout of entries is another file. */
const FORMAT = 1;
/** Bytes that have to be free beside what is written. */
const SPARE = 1 << 20;

export class ReferenceCache {
  private constructor(
    readonly file: string,
    private readonly store: RootDatabase<Buffer, Buffer>,
  ) {}

  /**
   * Opens the cache in a folder, made when it is not there; the user's cache folder when left out.
   *
   * @throws InputError when the folder cannot be written to, or the file there is not such a store
   */
  static async open(folder = join(cacheFolder(process.env), "reference")): Promise<ReferenceCache> {
    const file = join(folder, `logprobs-${FORMAT}.mdb`);
    try {
      mkdirSync(folder, { recursive: true });
      accessSync(folder, constants.W_OK);
    } catch (error) {
      throw new InputError(
        `Expected a folder for the reference cache that can be written to at ${folder} but received: ` +
          `${(error as Error).message}. Name another with reference_cache, or set XDG_CACHE_HOME`,
      );
    }
    checkStore(file);
    const { open } = await import("lmdb"); // only a run that needs it pays for it
    const { bavail, bsize } = statfsSync(folder);
    if (bavail * bsize < SPARE)
      throw new InputError(`Expected 1 MiB free for the reference cache in ${folder}; free some, or name another folder with reference_cache`);
    return new ReferenceCache(file, open({ path: file, noSubdir: true, keyEncoding: "binary", encoding: "binary" }));
  }

  /** What is known of a pair under the reference of that fingerprint. */
  get(reference: string, pair: TokenizedPair): ReferenceLogProbs | undefined {
    const entry = this.store.get(keyOf(reference, pair));
    return entry && decode(entry, pair);
  }

  /** Stores entries in one transaction; when the promise resolves they survive the end of the process. */
  async put(reference: string, entries: Iterable<readonly [TokenizedPair, ReferenceLogProbs]>): Promise<void> {
    const encoded = [...entries].map(([pair, values]) => [keyOf(reference, pair), encode(values, pair)] as const);
    this.expectRoom(encoded.reduce((sum, [key, value]) => sum + key.length + value.length, 0));
    this.store.transactionSync(() => {
      for (const [key, value] of encoded) this.store.putSync(key, value);
    });
    await this.store.flushed;
  }

  /** LMDB crashes where the disk is full: its pages are mapped. */
  private expectRoom(bytes: number): void {
    const { bavail, bsize } = statfsSync(dirname(this.file));
    const needed = 4 * bytes + SPARE; // pages are half empty, and copied before they are changed
    if (bavail * bsize > needed) return;
    throw new InputError(
      `Expected ${Math.ceil(needed / 2 ** 20)} MiB free for the reference cache in ${dirname(this.file)} but received ` +
        `${Math.floor((bavail * bsize) / 2 ** 20)}; free some, or name another folder with reference_cache`,
    );
  }

  async close(): Promise<void> {
    await this.store.close();
  }
}

function keyOf(reference: string, { chosen, rejected }: TokenizedPair): Buffer {
  const hash = createHash("sha256").update(reference);
  for (const { ids, start } of [chosen, rejected]) hash.update(Uint32Array.of(ids.length, start)).update(ids);
  return hash.digest();
}

/** The values of both answers, then a CRC-32. */
function encode({ chosen, rejected }: ReferenceLogProbs, pair: TokenizedPair): Buffer {
  for (const [name, values, answer] of [["chosen", chosen, pair.chosen], ["rejected", rejected, pair.rejected]] as const)
    if (values.length !== completionTokens(answer))
      throw new RangeError(
        `Expected ${completionTokens(answer)} log-probs for '${name}' of row ${pair.index} but received ${values.length}`,
      );
  const values = Buffer.concat([bytesOf(chosen), bytesOf(rejected)]);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE(crc32(values));
  return Buffer.concat([values, checksum]);
}

function decode(entry: Buffer, { chosen, rejected }: TokenizedPair): ReferenceLogProbs | undefined {
  const [first, second] = [completionTokens(chosen), completionTokens(rejected)];
  const size = entry.length - 4;
  const Values = size === 8 * (first + second) ? Float64Array : Float32Array;
  if (size !== Values.BYTES_PER_ELEMENT * (first + second)) return undefined;
  if (crc32(entry.subarray(0, size)) !== entry.readUInt32LE(size)) return undefined;
  const values = new Values(Uint8Array.from(entry.subarray(0, size)).buffer); // a copy: LMDB reuses its memory
  return { chosen: values.subarray(0, first), rejected: values.subarray(first) };
}

function completionTokens({ ids, start }: TokenizedAnswer): number {
  return ids.length - start;
}

function bytesOf({ buffer, byteOffset, byteLength }: LogProbs): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** LMDB crashes on a file that is not its own or that is cut short: its two first pages tell. */
function checkStore(file: string): void {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size === 0) return; // new
  const MAGIC = 0xbeefc0de;
  const meta = Buffer.alloc(4096 + 0xa0);
  const descriptor = openSync(file, "r");
  try {
    readSync(descriptor, meta, 0, meta.length, 0);
  } finally {
    closeSync(descriptor);
  }
  const pageSize = meta.readUInt32LE(0x30);
  const wrong = `Expected a reference cache at ${file} but received `;
  const remedy = "Delete it; its entries are then computed again";
  if (meta.readUInt32LE(0x18) !== MAGIC || pageSize === 0) throw new InputError(`${wrong}another file. ${remedy}`);
  const lastPages = pageSize === 4096 ? [0x90, 0x1090].map((at) => Number(meta.readBigUInt64LE(at))) : [0];
  const needed = (Math.max(...lastPages) + 1) * pageSize;
  if (size < needed) throw new InputError(`${wrong}one that is cut short, ${size} of ${needed} bytes. ${remedy}`);
}
