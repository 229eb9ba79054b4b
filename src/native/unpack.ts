/** Takes libtorch out of an archive: the official zip (under `libtorch/`) or a Python wheel (under `torch/`). */
import { createWriteStream, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32 } from "node:zlib";
import { openPromise } from "yauzl";

// Headers, shared libraries and the file with the version; not Python's, not libtorch's own tests, no static libraries.
const wanted = /^(lib\/[^/]+\.so[.\d]*|include\/.+|version\.py|build-version)$/;
const unwanted = /^lib\/lib(torch_python|shm|.*test|.*custom_ops|backend_with_compiler)/;

/** Writes what smaug needs of the archive into `folder`. Fails when the archive is damaged or holds no libtorch. */
export async function unpackLibtorch(archive: string, folder: string): Promise<void> {
  const zip = await openPromise(archive);
  let found = false;
  for await (const entry of zip.eachEntry()) {
    const path = /^(?:lib)?torch\/(.+)$/.exec(entry.fileName)?.[1];
    if (!path || !wanted.test(path) || unwanted.test(path)) continue;
    const target = join(folder, path);
    mkdirSync(dirname(target), { recursive: true });
    await pipeline(await zip.openReadStreamPromise(entry), checksum(entry), createWriteStream(target));
    found ||= path === "lib/libtorch_cpu.so";
  }
  if (!found) throw new Error("the archive holds no lib/libtorch_cpu.so");
}

// yauzl checks sizes only.
function checksum(entry: { crc32: number; fileName: string }): Transform {
  let sum = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sum = crc32(chunk, sum);
      done(null, chunk);
    },
    flush: (done) => done(sum === entry.crc32 ? null : new Error(`the archive is damaged at ${entry.fileName}`)),
  });
}
