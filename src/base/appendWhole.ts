/** Appending to a log, whole or not at all. */
import { closeSync, fstatSync, ftruncateSync, openSync, writeSync } from "node:fs";

/** Appends all of `bytes`. When that fails, as on a full disk, the file is cut back to what it was. */
export function appendWhole(file: string, bytes: Uint8Array): void {
  const descriptor = openSync(file, "a");
  try {
    const { size } = fstatSync(descriptor);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
    } catch (error) {
      ftruncateSync(descriptor, size);
      throw error;
    }
  } finally {
    closeSync(descriptor);
  }
}
