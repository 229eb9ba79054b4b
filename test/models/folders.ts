/** Temporary folders, and safetensors files made by hand, wrong ones too. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** A function that makes empty folders, or copies of one; all are gone when the file's tests are done. */
export function temporaryFolders(): (copyOf?: string) => string {
  const root = mkdtempSync(join(tmpdir(), "smaug-models-"));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  return (copyOf) => {
    const folder = mkdtempSync(join(root, "folder-"));
    if (copyOf) cpSync(copyOf, folder, { recursive: true });
    return folder;
  };
}

/** Writes a safetensors file with this header, text or JSON, and this many bytes of data (or these). */
export function writeSafetensorsFile(
  path: string,
  header: string | object,
  data: number | Uint8Array = 0,
  length?: bigint,
): string {
  const text = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const first = Buffer.alloc(8);
  first.writeBigUInt64LE(length ?? BigInt(text.length));
  writeFileSync(path, Buffer.concat([first, text, typeof data === "number" ? Buffer.alloc(data) : data]));
  return path;
}
