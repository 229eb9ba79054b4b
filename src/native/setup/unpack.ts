/**
 * Unpacks libtorch from an archive: the official zip (under `libtorch/`) or a Python wheel (under `torch/`). Only
 * regular files with names inside the folder are written, each once, and no more than the archive can hold.
 */
import { createHash } from "node:crypto";
import { createWriteStream, readdirSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32 } from "node:zlib";
import { type Entry, openPromise, type ZipFile } from "yauzl";
import { expectRegularFile } from "../../base/files/inputFiles";
import { makeFolder } from "../../base/files/wholeFiles";
import { printable } from "../../base/terminal/printable";

// Headers, shared libraries and the file with the version; not Python's, not libtorch's own tests, no static libraries.
const wanted = /^(lib\/[^/]+\.so[.\d]*|include\/.+|version\.py|build-version)$/;
const unwanted = /^lib\/lib(torch_python|shm|.*test|.*custom_ops|backend_with_compiler)/;

/** Deflate expands one byte to at most 1032. */
const mostPerByte = 1032;
/** libtorch for the CPU takes about half a gigabyte, in 9,000 files. */
const mostBytes = 8 * 2 ** 30;
const mostEntries = 200_000;

export interface UnpackedFile {
  /** Below the folder: `lib/libc10.so`. */
  path: string;
  bytes: number;
  sha256: string;
}

/**
 * Writes what smaug needs of the archive into `folder`, which must be empty or missing, and returns what it wrote. Fails,
 * leaving nothing, when the archive is damaged or holds no libtorch.
 */
export async function unpackLibtorch(archive: string, folder: string): Promise<UnpackedFile[]> {
  expectRegularFile(archive, "a zip archive");
  const made = makeFolder(folder);
  if (readdirSync(folder).length > 0) throw new Error(`Expected an empty folder to unpack into but ${folder} has files in it`);
  try {
    const zip = await openPromise(archive, { strictFileNames: true });
    try {
      return await unpackEntries(zip, statSync(archive).size, folder);
    } finally {
      zip.close();
    }
  } catch (error) {
    if (made !== undefined) rmSync(made, { recursive: true, force: true });
    else for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true });
    if ((error as NodeJS.ErrnoException).code) throw error; // for example a full disk: not the archive's fault
    throw new Error(`${basename(archive)}: ${printable((error as Error).message)}`, { cause: error });
  }
}

async function unpackEntries(zip: ZipFile, archiveBytes: number, folder: string): Promise<UnpackedFile[]> {
  if (zip.entryCount > mostEntries) throw new Error(`Expected at most ${mostEntries} entries but it has ${zip.entryCount}`);
  const places = new Places();
  const files: UnpackedFile[] = [];
  let compressed = 0;
  let bytes = 0;
  for await (const entry of zip.eachEntry()) {
    const path = /^(?:lib)?torch\/(.+)$/.exec(entry.fileName)?.[1];
    if (path === undefined || path.endsWith("/") || !wanted.test(path) || unwanted.test(path)) continue;
    expectRegularEntry(entry);
    places.add(path, entry.fileName);
    // Entries may share their data, so that each of them fits but all together do not.
    compressed += entry.compressedSize;
    bytes += entry.uncompressedSize;
    if (compressed > archiveBytes || entry.uncompressedSize > mostPerByte * (entry.compressedSize + 64) || bytes > mostBytes)
      throw new Error(`${entry.fileName} claims more than an archive of ${archiveBytes} bytes can hold`);
    const target = join(folder, path);
    makeFolder(dirname(target));
    const digest = checksum(entry);
    await pipeline(await zip.openReadStreamPromise(entry), digest, createWriteStream(target, { flags: "wx" }));
    files.push({ path, bytes: entry.uncompressedSize, sha256: digest.sha256() });
  }
  if (!files.some(({ path }) => path === "lib/libtorch_cpu.so")) throw new Error("it holds no lib/libtorch_cpu.so");
  return files;
}

function expectRegularEntry(entry: Entry): void {
  const found = entry.isEncrypted() ? "an encrypted file" : kindOfEntry(entry);
  if (found !== undefined) throw new Error(`Expected a regular file at ${entry.fileName} but received ${found}`);
}

/** Undefined for a regular file. The upper half of the attributes is a file mode where the archive was made on Unix. */
function kindOfEntry({ externalFileAttributes }: Entry): string | undefined {
  const type = (externalFileAttributes >>> 16) & 0o170000;
  if (type === 0 || type === 0o100000) return undefined;
  return type === 0o120000 ? "a symbolic link" : type === 0o040000 ? "a folder" : "a special file";
}

/** The files and folders that an archive's entries have named so far. */
class Places {
  private readonly files = new Set<string>();
  private readonly folders = new Set<string>();

  add(path: string, name: string): void {
    const parts = path.split("/");
    if (parts.some((part) => part === "" || part === "." || part === ".." || part.includes("\0")))
      throw new Error(`Expected a plain path but received ${name}`);
    if (this.files.has(path)) throw new Error(`${name} is in it twice`);
    if (this.folders.has(path)) throw new Error(`${name} is a file and a folder`);
    for (let depth = 1; depth < parts.length; depth++) {
      const parent = parts.slice(0, depth).join("/");
      if (this.files.has(parent)) throw new Error(`${name} is below ${parent}, which is a file`);
      this.folders.add(parent);
    }
    this.files.add(path);
  }
}

/** Passes a file's bytes on, comparing their CRC with the archive's: yauzl checks sizes only. */
function checksum(entry: Entry): Transform & { sha256(): string } {
  let sum = 0;
  const hash = createHash("sha256");
  const transform = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sum = crc32(chunk, sum);
      hash.update(chunk);
      done(null, chunk);
    },
    flush: (done) => done(sum === entry.crc32 ? null : new Error(`damaged at ${entry.fileName}`)),
  });
  return Object.assign(transform, { sha256: () => hash.digest("hex") });
}
