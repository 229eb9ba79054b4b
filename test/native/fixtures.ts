/** Folders that look like a libtorch or like the smaug package, each under a temporary folder of its own. */
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { packageRoot } from "../../src/base/package";
import { findAddon, prebuildFolder, sourceStamp, stampFile } from "../../src/native/addon";
import { attemptLoad } from "../../src/native/load";
import type { Libtorch } from "../../src/native/setup/locate";

/** An empty folder that goes away with the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "smaug-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes files by path below `folder`. */
export function writeTree(folder: string, files: Record<string, string | Buffer>): string {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}

/** A folder that passes for a libtorch of that version, with empty libraries. */
export function fakeLibtorch(version: string, files: Record<string, string> = {}): string {
  return writeTree(temporaryFolder(), { "lib/libtorch_cpu.so": "", "build-version": `${version}\n`, ...files });
}

/** The libtorch these tests run on. */
export function realLibtorch(): Libtorch {
  return attemptLoad().libtorch!;
}

/** The real libtorch under another folder, with its libraries as links, so that one of them can be spoiled. */
export function linkedLibtorch(version: string): string {
  const folder = fakeLibtorch(version);
  const { libraries } = realLibtorch();
  rmSync(join(folder, "lib/libtorch_cpu.so"));
  for (const name of readdirSync(libraries)) symlinkSync(join(libraries, name), join(folder, "lib", name));
  return folder;
}

/** A libtorch whose libc10 has a whole header and wrong addresses, so that opening it ends the process. */
export function crashingLibtorch(): string {
  const folder = linkedLibtorch(realLibtorch().version);
  const file = join(folder, "lib/libc10.so");
  const bytes = readFileSync(file);
  const programHeaders = Number(bytes.readBigUInt64LE(32));
  for (let at = programHeaders; at < programHeaders + 56 * bytes.readUInt16LE(56); at += 56) {
    if (bytes.readUInt32LE(at) !== 2) continue; // PT_DYNAMIC
    const start = Number(bytes.readBigUInt64LE(at + 8));
    for (let entry = start; entry < start + Number(bytes.readBigUInt64LE(at + 32)); entry += 16) {
      const isTable = [5n, 6n].includes(bytes.readBigUInt64LE(entry)); // DT_STRTAB, DT_SYMTAB
      if (isTable) bytes.writeBigUInt64LE(0x7fff_ffff_0000n, entry + 8);
    }
  }
  rmSync(file);
  writeFileSync(file, bytes);
  return folder;
}

/** A package folder: sources, and the real addons as prebuilt ones. */
export function packageFolder(): string {
  const root = temporaryFolder();
  for (const name of ["package.json", "CMakeLists.txt", "native"])
    cpSync(join(packageRoot, name), join(root, name), { recursive: true });
  for (const name of ["loader", `torch-${realLibtorch().minor}`]) {
    const folder = prebuildFolder(root, name);
    cpSync(findAddon(packageRoot, name).addon!.file, prebuiltFile(root, name));
    writeFileSync(stampFile(folder), sourceStamp(root));
  }
  return root;
}

/** Where `packageFolder` keeps its prebuilt addon of that name. */
export function prebuiltFile(root: string, name: string): string {
  const file = name === "loader" ? "loader" : "smaug";
  return join(prebuildFolder(root, name), "prebuilds", "linux-x64", `${file}.napi.glibc.node`);
}

/** A folder for PATH with `node` and shell scripts of these names. */
export function programs(scripts: Record<string, string> = {}): string {
  const folder = temporaryFolder();
  symlinkSync(process.execPath, join(folder, "node"));
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}
