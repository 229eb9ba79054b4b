/**
 * Whether a shared library is whole. The dynamic linker maps a file that was cut short and the process dies of SIGBUS
 * on the first missing page, so this is asked before any library is opened. Contents are not checked.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

const headerBytes = 64;
const programHeaderBytes = 56;

/** What is wrong with the file, or `undefined`. Only 64-bit little-endian ELF for x86-64 is right. */
export function libraryDefect(file: string): string | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK); // a FIFO would wait for a writer
  } catch (error) {
    return (error as Error).message;
  }
  try {
    const stats = fstatSync(descriptor);
    return stats.isFile() ? headerDefect(descriptor, stats.size) : "not a regular file";
  } catch (error) {
    return (error as Error).message;
  } finally {
    closeSync(descriptor);
  }
}

function headerDefect(descriptor: number, size: number): string | undefined {
  const header = Buffer.alloc(headerBytes);
  if (readSync(descriptor, header, 0, headerBytes, 0) < headerBytes) return `cut short: ${size} bytes`;
  // Magic, 64-bit class, little-endian; type 3 is a shared object; machine 62 is x86-64.
  if (header.readUInt32BE(0) !== 0x7f454c46 || header[4] !== 2 || header[5] !== 1) return "not a shared library";
  if (header.readUInt16LE(18) !== 62) return "built for another processor";
  const count = header.readUInt16LE(56);
  if (header.readUInt16LE(16) !== 3 || count === 0) return "not a shared library";

  const tableAt = header.readBigUInt64LE(32);
  const tableBytes = count * programHeaderBytes;
  // The section headers come last in the file; after them, a segment (offset at 8, bytes in the file at 32).
  let end = tableAt + BigInt(tableBytes);
  if (end > size) return `cut short: ${size} of ${end} bytes`;
  const sections = header.readBigUInt64LE(40) + BigInt(header.readUInt16LE(58) * header.readUInt16LE(60));
  if (sections > end) end = sections;
  const table = Buffer.alloc(tableBytes);
  readSync(descriptor, table, 0, tableBytes, Number(tableAt));
  for (let at = 0; at < tableBytes; at += programHeaderBytes) {
    const segmentEnd = table.readBigUInt64LE(at + 8) + table.readBigUInt64LE(at + 32);
    if (segmentEnd > end) end = segmentEnd;
  }
  return size < end ? `cut short: ${size} of ${end} bytes` : undefined;
}
