/** Appends to a log file, all or nothing. */
import { closeSync, fstatSync, ftruncateSync, openSync, writeSync } from "node:fs";

/**
 * Appends `bytes` to a file. If that fails, for example on a full disk, the file is truncated to its previous length.
 */
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
