/** SHA-256 of files. */
import { createHash } from "node:crypto";
import { closeSync, createReadStream, openSync } from "node:fs";
import { basename } from "node:path";
import { pipeline } from "node:stream/promises";
import { digestOfOpen } from "../../base/files/checksums";

/** Fails unless the file has that digest; `name` is what the error calls it. */
export async function expectDigest(file: string, sha256: string, name = basename(file)): Promise<void> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file, { highWaterMark: 2 ** 20 }), hash);
  const received = hash.digest("hex");
  if (received !== sha256) throw new Error(`${name}: expected SHA-256 ${sha256} but received ${received}`);
}

/** The digest of a regular file. */
export function digestOf(file: string): string {
  const descriptor = openSync(file, "r");
  try {
    return digestOfOpen(descriptor).sha256;
  } finally {
    closeSync(descriptor);
  }
}
