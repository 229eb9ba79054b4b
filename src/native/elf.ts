/**
 * Whether a shared library is whole. The dynamic linker maps a file that was cut short and the process dies of SIGBUS
 * on the first missing page, so this is asked before any library is opened. Contents are not checked.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

const headerBytes = 64;
const programHeaderBytes = 56;

/** What is wrong with the file, or `undefined`. Only 64-bit little-endian ELF for x86-64 is right. */
export function libraryDefect(file: string): string | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch (error) {
    return (error as Error).message;
  }
  try {
    const { size } = fstatSync(descriptor);
    const header = Buffer.alloc(headerBytes);
    if (readSync(descriptor, header, 0, headerBytes, 0) < headerBytes) return `cut short: ${size} bytes`;
    // Magic, 64-bit class, little-endian; machine 62 is x86-64.
    if (header.readUInt32BE(0) !== 0x7f454c46 || header[4] !== 2 || header[5] !== 1) return "not a shared library";
    if (header.readUInt16LE(18) !== 62) return "built for another processor";

    const count = header.readUInt16LE(56);
    const table = Buffer.alloc(count * programHeaderBytes);
    readSync(descriptor, table, 0, table.length, Number(header.readBigUInt64LE(32)));
    // The section headers come last in the file; after them, a segment (offset at 8, bytes in the file at 32).
    let end = Number(header.readBigUInt64LE(40)) + header.readUInt16LE(58) * header.readUInt16LE(60);
    for (let at = 0; at < table.length; at += programHeaderBytes)
      end = Math.max(end, Number(table.readBigUInt64LE(at + 8) + table.readBigUInt64LE(at + 32)));
    return size < end ? `cut short: ${size} of ${end} bytes` : undefined;
  } finally {
    closeSync(descriptor);
  }
}
