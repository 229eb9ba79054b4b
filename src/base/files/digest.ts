/** SHA-256 of open files. */
import { createHash } from "node:crypto";
import { readSync } from "node:fs";

/** Bytes read and hashed in one step. */
const STEP = 1 << 20;

/** The length and the digest of a file that has just been opened, read from its beginning. */
export function digestOfOpen(descriptor: number): { bytes: number; sha256: string } {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(STEP);
  let bytes = 0;
  for (let read = -1; read !== 0; bytes += read) {
    read = readSync(descriptor, buffer, 0, STEP, null);
    hash.update(buffer.subarray(0, read));
  }
  return { bytes, sha256: hash.digest("hex") };
}
