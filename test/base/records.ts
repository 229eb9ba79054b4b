/** Records for tests: the key and the value that belong to a number. */
import { createHash } from "node:crypto";

export const keyOf = (i: number): Buffer => createHash("sha256").update(`key ${i}`).digest();

/** Between 0 and 400 bytes. */
export const valueOf = (i: number): Buffer => Buffer.alloc((i * 37) % 401, createHash("sha256").update(`value ${i}`).digest());

export const entries = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => [keyOf(from + i), valueOf(from + i)] as const);
