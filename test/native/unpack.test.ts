import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { unpackLibtorch } from "../../src/native/setup/unpack";
import { library, libtorchEntries, sha256, type ZipEntry, zip } from "./archives";
import { temporaryFolder, writeTree } from "./fixtures";

/** Unpacks an archive of these bytes. `above` is the folder where the archive and the target are. */
function unpack(bytes: Buffer) {
  const above = temporaryFolder();
  const archive = join(writeTree(above, { "libtorch.zip": bytes }), "libtorch.zip");
  const folder = join(above, "out", "torch");
  return { above, folder, done: unpackLibtorch(archive, folder) };
}

const minimal: ZipEntry = { name: "libtorch/lib/libtorch_cpu.so", data: library };
const tree = (folder: string) => readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();

test("an archive with entries for folders, as zip -r makes them", async () => {
  const above = temporaryFolder();
  const files = {
    "libtorch/build-version": "2.13.0+cpu\n",
    "libtorch/include/ATen/ATen.h": "// ATen\n",
    "libtorch/lib/libtorch_cpu.so": library,
  };
  writeTree(above, files);
  const archive = join(above, "l.zip");
  try {
    execFileSync("zip", ["-rq", archive, "libtorch"], { cwd: above });
  } catch {
    const folder = (name: string): ZipEntry => ({ name, mode: 0o040755 });
    const entries = Object.entries(files).map(([name, data]): ZipEntry => ({ name, data, mode: 0o100644, deflated: true }));
    const folders = ["libtorch/", "libtorch/include/", "libtorch/include/ATen/", "libtorch/lib/"].map(folder);
    writeFileSync(archive, zip([...folders, ...entries]));
  }
  const folder = join(above, "out");
  const unpacked = await unpackLibtorch(archive, folder);
  expect(tree(folder)).toEqual(["build-version", "include", "include/ATen", "include/ATen/ATen.h", "lib", "lib/libtorch_cpu.so"]);
  expect(readFileSync(join(folder, "lib/libtorch_cpu.so")).equals(library)).toBe(true);
  expect(unpacked).toContainEqual({ path: "lib/libtorch_cpu.so", bytes: library.length, sha256: sha256(library) });
});

test("a wheel, deflated and with sizes in 64 bits", async () => {
  const entries = libtorchEntries("torch").map((entry) => ({ ...entry, deflated: true, zip64: true }));
  const { folder, done } = unpack(zip(entries));
  await done;
  expect(readdirSync(join(folder, "lib")).sort()).toEqual(["libgomp.so.1", "libtorch_cpu.so"]);
  expect(readFileSync(join(folder, "lib/libgomp.so.1")).equals(library)).toBe(true);
});

const deflatedZeros = { name: "libtorch/include/zeros.h", data: Buffer.alloc(2 ** 20), deflated: true };

test.each<[string, ZipEntry[], string]>([
  [
    "a name that leaves the folder",
    [{ name: "libtorch/lib/../../../x.so" }, minimal],
    "invalid relative path: libtorch/lib/../../../x.so",
  ],
  ["an absolute name", [{ name: "/libtorch/include/x" }, minimal], "absolute path: /libtorch/include/x"],
  ["backslashes", [{ name: "libtorch\\..\\..\\x.so" }, minimal], "invalid characters in fileName"],
  ["an empty part", [{ name: "libtorch/include//etc/x" }, minimal], "Expected a plain path but received libtorch/include//etc/x"],
  ["a dot as a part", [{ name: "libtorch/include/./x" }, minimal], "Expected a plain path"],
  ["a zero byte", [{ name: "libtorch/include/x\0y" }, minimal], "Expected a plain path but received libtorch/include/x\\x00y"],
  [
    "a symbolic link",
    [{ name: "libtorch/include/link", data: "/etc/passwd", mode: 0o120777 }, minimal],
    "received a symbolic link",
  ],
  ["a FIFO", [{ name: "libtorch/include/fifo", mode: 0o010644 }, minimal], "received a special file"],
  ["a folder without a slash", [{ name: "libtorch/include/ATen", mode: 0o040755 }, minimal], "received a folder"],
  ["one name twice", [minimal, minimal], "libtorch/lib/libtorch_cpu.so is in it twice"],
  [
    "a file where a folder is needed",
    [{ name: "libtorch/include/ATen" }, { name: "libtorch/include/ATen/x.h" }, minimal],
    "libtorch/include/ATen/x.h is below include/ATen, which is a file",
  ],
  [
    "a folder where a file is needed",
    [{ name: "libtorch/include/ATen/x.h" }, { name: "libtorch/include/ATen" }, minimal],
    "libtorch/include/ATen is a file and a folder",
  ],
  [
    "encryption",
    [minimal, { name: "libtorch/include/x.h", data: "x", deflated: true, flags: 1 }],
    "Expected a regular file at libtorch/include/x.h but received an encrypted file",
  ],
  ["another CRC", [minimal, { name: "libtorch/include/x.h", data: "x", claims: { crc: 7 } }], "damaged at libtorch/include/x.h"],
  ["fewer bytes than claimed", [minimal, { ...deflatedZeros, claims: { bytes: 2 ** 20 + 1 } }], "not enough bytes in the stream"],
  ["more bytes than claimed", [minimal, { ...deflatedZeros, claims: { bytes: 2 ** 19 } }], "too many bytes in the stream"],
  [
    "a claim that no archive can hold",
    [{ ...deflatedZeros, claims: { bytes: 2 ** 40 }, zip64: true }, minimal],
    "claims more than an archive of",
  ],
  [
    "entries that share their data",
    [
      minimal,
      ...Array.from({ length: 4 }, (_, i): ZipEntry => ({ ...minimal, name: `libtorch/lib/lib${i}.so`, sharesDataOf: 0 })),
    ],
    "claims more than an archive of",
  ],
  ["no libtorch", [{ name: "libtorch/readme" }], "it holds no lib/libtorch_cpu.so"],
])("an archive with %s is refused, and nothing is left", async (_, entries, reason) => {
  const { above, done } = unpack(zip(entries));
  await expect(done).rejects.toThrow(`libtorch.zip: `);
  await expect(done).rejects.toThrow(reason);
  expect(readdirSync(above)).toEqual(["libtorch.zip"]);
});

test.each([0, 10, 1000, -30, -1])("an archive cut at %i is refused, and nothing is left", async (at) => {
  const { above, done } = unpack(zip(libtorchEntries("libtorch")).subarray(0, at));
  await expect(done).rejects.toThrow(/^libtorch\.zip: /);
  expect(readdirSync(above)).toEqual(["libtorch.zip"]);
});

test("a folder with files in it is left as it is", async () => {
  const above = writeTree(temporaryFolder(), { "l.zip": zip([minimal]), "out/mine": "mine" });
  await expect(unpackLibtorch(join(above, "l.zip"), join(above, "out"))).rejects.toThrow("Expected an empty folder");
  expect(readdirSync(join(above, "out"))).toEqual(["mine"]);
});

test("a FIFO and a folder are refused as archives", async () => {
  const above = temporaryFolder();
  execFileSync("mkfifo", [join(above, "fifo")]);
  await expect(unpackLibtorch(join(above, "fifo"), join(above, "out"))).rejects.toThrow("received a named pipe");
  await expect(unpackLibtorch(above, join(above, "out"))).rejects.toThrow("received a folder");
  expect(existsSync(join(above, "out"))).toBe(false);
  expect(lstatSync(join(above, "fifo")).isFIFO()).toBe(true);
});
