import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { delimiter, join } from "node:path";
import { crc32 } from "node:zlib";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { findAddon } from "../../src/native/addon";
import { fetchLibtorch } from "../../src/native/fetch";
import { packageRoot } from "../../src/native/paths";
import { thisProcess } from "../../src/base/processes";
import { stagingFolder, temporaryName } from "../../src/base/wholeFiles";
import { programs, temporaryFolder } from "./fixtures";

let lines: string[];
const progress = { line: (text: string) => lines.push(text), share: () => {} };
beforeEach(() => {
  lines = [];
});

/** A zip of stored files, enough for what the official archive and a wheel are. */
function zip(files: Record<string, string | Buffer>): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(files)) {
    const [path, data] = [Buffer.from(name), Buffer.from(content as string)];
    const common = Buffer.alloc(26); // version needed, flags, method, time, date, CRC, sizes, name and extra lengths
    common.writeUInt16LE(20, 0);
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(path.length, 22);
    const entry = Buffer.concat([Buffer.from("PK\x03\x04"), common, path, data]);
    const rest = Buffer.alloc(14); // comment length, disk, attributes, offset
    rest.writeUInt32LE(offset, 10);
    central.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\0"), common, rest, path]));
    local.push(entry);
    offset += entry.length;
  }
  const end = Buffer.alloc(18);
  end.writeUInt16LE(local.length, 4);
  end.writeUInt16LE(local.length, 6);
  end.writeUInt32LE(Buffer.concat(central).length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...local, ...central, Buffer.from("PK\x05\x06"), end]);
}

/** A real shared library, the smallest at hand. */
const library = readFileSync(findAddon(packageRoot, "loader").addon!.file);

const inside = (prefix: string) => ({
  [`${prefix}/build-version`]: "2.13.0+cpu\n",
  [`${prefix}/lib/libtorch_cpu.so`]: library,
  [`${prefix}/lib/libtorch_python.so`]: "not for us",
  [`${prefix}/lib/libgomp.so.1`]: library,
  [`${prefix}/lib/libdnnl.a`]: "static",
  [`${prefix}/include/ATen/ATen.h`]: "header",
  [`${prefix}/share/cmake/Torch/TorchConfig.cmake`]: "",
});
const archive = zip(inside("libtorch"));
const damaged = Buffer.from(archive);
damaged[archive.indexOf(library) + 1_000]! ^= 1;

/** An address that answers with these bytes. */
async function serve(body: Buffer, { claimed = body.length, status = 200 } = {}): Promise<string> {
  const server = createServer((_, response) => {
    response.writeHead(status, { "content-length": claimed });
    response.write(body, () => response.destroy(claimed > body.length ? new Error("cut") : undefined));
    if (claimed === body.length) response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/libtorch.zip`;
}

/** An address where nobody answers. */
async function unreachable(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return `http://127.0.0.1:${port}/libtorch.zip`;
}

const cache = () => ({ XDG_CACHE_HOME: temporaryFolder(), PATH: programs() });
/** A python3 whose pip writes this wheel for the requirement it accepts. */
const pip = (wheel: Buffer, accepts: string) => {
  const file = join(temporaryFolder(), "wheel");
  writeFileSync(file, wheel);
  const script = `case "$*" in *"${accepts}") ;; *) echo "ERROR: No matching distribution found" >&2; exit 1;; esac
    while [ "$1" != --dest ]; do shift; done; mkdir -p "$2"; cp ${file} "$2/torch.whl"`;
  return [programs({ python3: script }), process.env.PATH].join(delimiter);
};

test("takes headers and shared libraries from the official archive, and the rest stays", async () => {
  const env = cache();
  const folder = await fetchLibtorch({ env, progress, url: await serve(archive) });
  expect(folder).toBe(join(env.XDG_CACHE_HOME, "smaug/libtorch/torch-2.13.0-cpu"));
  expect(readdirSync(folder).sort()).toEqual(["build-version", "include", "lib"]);
  expect(readdirSync(join(folder, "lib")).sort()).toEqual(["libgomp.so.1", "libtorch_cpu.so"]);
  expect(readFileSync(join(folder, "include/ATen/ATen.h"), "utf8")).toBe("header");
  expect(readdirSync(join(folder, ".."))).toEqual(["torch-2.13.0-cpu"]);
});

test("has it once: the second time nothing is fetched", async () => {
  const env = cache();
  const folder = await fetchLibtorch({ env, progress, url: await serve(archive) });
  expect(await fetchLibtorch({ env, progress, url: await unreachable() })).toBe(folder);
});

test("fetches again what was cut short", async () => {
  const env = cache();
  const url = await serve(archive);
  const file = join(await fetchLibtorch({ env, progress, url }), "lib/libtorch_cpu.so");
  truncateSync(file, 5_000);
  await fetchLibtorch({ env, progress, url });
  expect(readFileSync(file).equals(library)).toBe(true);
});

test("goes to pip when the archive is out of reach, and asks for the CPU's wheel", async () => {
  const env = { ...cache(), PATH: pip(zip(inside("torch")), "torch==2.13.0+cpu") };
  const folder = await fetchLibtorch({ env, progress, url: await unreachable() });
  expect(readFileSync(join(folder, "lib/libtorch_cpu.so")).equals(library)).toBe(true);
  expect(lines).toContainEqual(expect.stringMatching(/^official archive: .*ECONNREFUSED/));
});

test("refuses a wheel for CUDA", async () => {
  const wheel = zip({ ...inside("torch"), "torch/build-version": "2.13.0+cu130", "torch/lib/libtorch_cuda.so": library });
  const env = { ...cache(), PATH: pip(wheel, "torch==2.13.0") };
  const failure = fetchLibtorch({ env, progress, url: await unreachable() });
  await expect(failure).rejects.toThrow(/pip: libtorch 2\.13\.0\+cu130 needs CUDA's own libraries/);
  await expect(failure).rejects.toThrow(/could not be fetched\n.*ECONNREFUSED.*\n.*pip: .*\n {2}-> .*--libtorch DIR/);
});

test.each([
  ["is damaged", () => serve(damaged), "damaged at libtorch/lib/libtorch_cpu.so"],
  ["breaks off", () => serve(archive.subarray(0, 200), { claimed: archive.length }), "official archive: "],
  ["is not there", () => serve(Buffer.from("gone"), { status: 404 }), "HTTP 404"],
  ["is no zip", () => serve(Buffer.from("<html>sign in</html>")), "official archive: "],
  ["holds something else", () => serve(zip({ "libtorch/readme": "" })), "holds no lib/libtorch_cpu.so"],
])("an archive that %s leaves nothing behind", async (_, url, reason) => {
  const env = cache();
  const failure = fetchLibtorch({ env, progress, url: await url() });
  await expect(failure).rejects.toThrow(reason);
  await expect(failure).rejects.toThrow("pip: there is no python3");
  expect(readdirSync(join(env.XDG_CACHE_HOME, "smaug/libtorch"))).toEqual([]);
});

test("two at once end with one whole folder", async () => {
  const env = cache();
  const url = await serve(archive);
  const folders = await Promise.all([1, 2, 3].map(() => fetchLibtorch({ env, progress, url })));
  expect(new Set(folders).size).toBe(1);
  expect(readdirSync(join(folders[0]!, ".."))).toEqual(["torch-2.13.0-cpu"]);
});

test("sweeps what a killed fetch left, and leaves a running one alone", async () => {
  const target = join(temporaryFolder(), "libtorch");
  const killed = spawn(process.execPath, ["-e", ""]);
  await once(killed, "exit");
  const [dead, running] = [temporaryName({ ...thisProcess(), pid: killed.pid! }), temporaryName()];
  for (const name of [dead, running]) mkdirSync(join(target, "..", name));
  const staging = stagingFolder(target);
  expect(readdirSync(join(target, ".."))).not.toContain(dead);
  expect(readdirSync(join(target, ".."))).toContain(running);
  expect(readdirSync(staging)).toEqual([]);
});
