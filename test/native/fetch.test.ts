import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { delimiter, join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { stagingFolder, temporaryName } from "../../src/base/files/wholeFiles";
import { thisProcess } from "../../src/base/processes";
import { fetchLibtorch } from "../../src/native/setup/fetch";
import { library, libtorchEntries, sha256, zip } from "./archives";
import { programs, temporaryFolder, writeTree } from "./fixtures";

let lines: string[];
const progress = { line: (text: string) => lines.push(text), share: () => {} };
beforeEach(() => {
  lines = [];
});

const archive = zip(libtorchEntries("libtorch"));
const wheel = zip(libtorchEntries("torch"));
const wheelName = "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl";
const wheels = { [wheelName]: sha256(wheel) };

/** The bytes that are expected at an address. */
const pin = (url: string, bytes: Buffer = archive) => ({ url, bytes: bytes.length, sha256: sha256(bytes) });

/** What a server does with the request of that number, from 0. */
type Answer = (request: IncomingMessage, response: ServerResponse, number: number) => void;

/** An address that answers so; `requests` are the ranges asked for. */
async function listen(answer: Answer): Promise<{ url: string; requests: (string | undefined)[] }> {
  const requests: (string | undefined)[] = [];
  const server = createServer((request, response) => answer(request, response, requests.push(request.headers.range) - 1));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/libtorch-2.13.0%2Bcpu.zip`, requests };
}

/** An address that answers with these bytes. */
async function serve(body: Buffer, { claimed = body.length, status = 200 } = {}): Promise<string> {
  const { url } = await listen((_, response) => {
    response.writeHead(status, { "content-length": claimed });
    if (claimed === body.length) response.end(body);
    else response.write(body, () => response.destroy());
  });
  return url;
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

/** A python3 whose pip leaves this wheel when its arguments match the pattern of a shell. */
function pip(bytes: Buffer, { accepts = "*", name = wheelName } = {}): string {
  const file = join(temporaryFolder(), "wheel");
  writeFileSync(file, bytes);
  const script = `case "$*" in ${accepts}) ;; *) echo "ERROR: No matching distribution found" >&2; exit 1;; esac
    while [ "$1" != --dest ]; do shift; done; mkdir -p "$2"; cp ${file} "$2/${name}"`;
  return [programs({ python3: script }), process.env.PATH].join(delimiter);
}

/** What a failed setup leaves in the cache. */
const left = (env: { XDG_CACHE_HOME: string }) => readdirSync(join(env.XDG_CACHE_HOME, "smaug/libtorch"));

test("takes headers and shared libraries from the official archive, without Python, and the rest stays", async () => {
  const env = cache();
  const folder = await fetchLibtorch({ env, progress, archive: pin(await serve(archive)) });
  expect(folder).toBe(join(env.XDG_CACHE_HOME, "smaug/libtorch/torch-2.13.0-cpu"));
  expect(readdirSync(folder).sort()).toEqual(["build-version", "include", "lib", "smaug-fetched.json"]);
  expect(readdirSync(join(folder, "lib")).sort()).toEqual(["libgomp.so.1", "libtorch_cpu.so"]);
  expect(readFileSync(join(folder, "include/ATen/ATen.h"), "utf8")).toBe("header");
  expect(readdirSync(join(folder, ".."))).toEqual(["torch-2.13.0-cpu"]);
  expect(lines.join("\n")).not.toMatch(/python|pip/i);
});

test("has it once: the second time nothing is fetched", async () => {
  const env = cache();
  const folder = await fetchLibtorch({ env, progress, archive: pin(await serve(archive)) });
  expect(await fetchLibtorch({ env, progress, archive: pin(await unreachable()) })).toBe(folder);
});

test.each<[string, (folder: string) => void]>([
  ["was cut short", (folder) => truncateSync(join(folder, "lib/libtorch_cpu.so"), 5_000)],
  ["has other bytes than were unpacked", (folder) => spoil(join(folder, "lib/libtorch_cpu.so"))],
  ["has a library that was not unpacked", (folder) => writeFileSync(join(folder, "lib/libgomp-7.so.1"), library)],
  ["has no record of its digests", (folder) => rmSync(join(folder, "smaug-fetched.json"))],
  ["has a record that cannot be read", (folder) => writeFileSync(join(folder, "smaug-fetched.json"), "[1")],
])("fetches again what %s", async (_, damage) => {
  const env = cache();
  const source = pin(await serve(archive));
  const folder = await fetchLibtorch({ env, progress, archive: source });
  damage(folder);
  await expect(fetchLibtorch({ env, progress, archive: pin(await unreachable()) })).rejects.toThrow("could not be fetched");
  await fetchLibtorch({ env, progress, archive: source });
  expect(readFileSync(join(folder, "lib/libtorch_cpu.so")).equals(library)).toBe(true);
  expect(readdirSync(join(folder, "lib")).sort()).toEqual(["libgomp.so.1", "libtorch_cpu.so"]);
  expect(readdirSync(join(folder, ".."))).toEqual(["torch-2.13.0-cpu"]);
});

/** Changes one byte and leaves size and time as they were. */
function spoil(file: string): void {
  const { atime, mtime } = statSync(file);
  const bytes = readFileSync(file);
  bytes[1_000]! ^= 1;
  writeFileSync(file, bytes);
  utimesSync(file, atime, mtime);
}

describe("pip", () => {
  test("is asked for the CPU's wheel when the archive is out of reach", async () => {
    const env = { ...cache(), PATH: pip(wheel, { accepts: '*"torch==2.13.0+cpu"' }) };
    const folder = await fetchLibtorch({ env, progress, archive: pin(await unreachable()), wheels });
    expect(readFileSync(join(folder, "lib/libtorch_cpu.so")).equals(library)).toBe(true);
    expect(lines).toContainEqual(expect.stringMatching(/^official archive: .*ECONNREFUSED/));
  });

  test("is asked for another Python's wheel when there is none for this one", async () => {
    const env = { ...cache(), PATH: pip(wheel, { accepts: '*"--python-version 3.13"*' }) };
    const folder = await fetchLibtorch({ env, progress, archive: pin(await unreachable()), wheels });
    expect(readdirSync(folder)).toContain("smaug-fetched.json");
  });

  test("gives a wheel with another digest: both are named and nothing is installed", async () => {
    const other = zip(libtorchEntries("torch", { "lib/libtorch_cpu.so": "other" }));
    const env = { ...cache(), PATH: pip(other) };
    const failure = fetchLibtorch({ env, progress, archive: pin(await unreachable()), wheels });
    await expect(failure).rejects.toThrow(`pip: ${wheelName}: expected SHA-256 ${sha256(wheel)} but received ${sha256(other)}`);
    expect(left(env)).toEqual([]);
  });

  test.each(["torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl", "toString"])("gives %s, which is not pinned", async (name) => {
    const env = { ...cache(), PATH: pip(wheel, { name: name.endsWith(".whl") ? name : `${name}.whl` }) };
    const failure = fetchLibtorch({ env, progress, archive: pin(await unreachable()), wheels });
    await expect(failure).rejects.toThrow(`pip: Expected one of ${wheelName} but received ${name}`);
    expect(left(env)).toEqual([]);
  });

  test("gives a wheel for CUDA", async () => {
    const cuda = zip(libtorchEntries("torch", { "build-version": "2.13.0+cu130", "lib/libtorch_cuda.so": library }));
    const env = { ...cache(), PATH: pip(cuda) };
    const failure = fetchLibtorch({ env, progress, archive: pin(await unreachable()), wheels: { [wheelName]: sha256(cuda) } });
    await expect(failure).rejects.toThrow(/pip: libtorch 2\.13\.0\+cu130 needs CUDA's own libraries/);
    await expect(failure).rejects.toThrow(/could not be fetched\n.*ECONNREFUSED.*\n.*pip: .*\n {2}-> .*--libtorch DIR/);
  });

  test("is named as missing when nothing else can help", async () => {
    const failure = fetchLibtorch({ env: cache(), progress, archive: pin(await unreachable()) });
    await expect(failure).rejects.toThrow(/ECONNREFUSED.*\n {2}pip: there is no python3\n/);
    await expect(failure).rejects.toThrow("install PyTorch 2.11 to 2.14 for python3");
  });
});

const other = Buffer.from(archive);
other[archive.indexOf(library) + 1_000]! ^= 1;
const notAnArchive = Buffer.from("<html>sign in</html>");
const empty = zip([{ name: "libtorch/readme" }]);

test.each<[string, () => Promise<string>, string, Buffer?]>([
  [
    "has another digest",
    () => serve(other),
    `libtorch-2.13.0+cpu.zip: expected SHA-256 ${sha256(archive)} but received ${sha256(other)}`,
  ],
  [
    "is something else",
    () => serve(notAnArchive),
    `expected ${archive.length} bytes but the server offers ${notAnArchive.length}`,
  ],
  [
    "never ends",
    async () => (await listen((_, response) => void response.end(Buffer.concat([archive, archive])))).url,
    `expected ${archive.length} bytes but`,
  ],
  ["holds no libtorch", () => serve(empty), "holds no lib/libtorch_cpu.so", empty],
  ["is no zip", () => serve(notAnArchive), "libtorch.zip: ", notAnArchive],
])("an archive that %s leaves nothing behind, and Python has no part in it", async (_, url, reason, expected = archive) => {
  const env = cache();
  const failure = fetchLibtorch({ env, progress, archive: pin(await url(), expected) });
  await expect(failure).rejects.toThrow(reason);
  await expect(failure).rejects.not.toThrow(/python|pip/i);
  expect(left(env)).toEqual([]);
});

test.each([
  ["breaks off again and again", () => serve(archive.subarray(0, 200), { claimed: archive.length }), /official archive: .*\n/],
  ["is not there", () => serve(Buffer.from("gone"), { status: 404 }), "HTTP 404"],
])("an archive that %s leaves nothing behind", async (_, url, reason) => {
  const env = cache();
  const failure = fetchLibtorch({ env, progress, archive: pin(await url()) });
  await expect(failure).rejects.toThrow(reason);
  expect(left(env)).toEqual([]);
});

/** Progress that tells when so many bytes have arrived. */
function arrivals() {
  const events = new EventEmitter();
  let arrived = 0;
  const share = (_: string, done: number) => events.emit("arrived", (arrived = done));
  const after = async (bytes: number) => {
    while (arrived < bytes) await once(events, "arrived");
  };
  return { progress: { ...progress, share }, after };
}

test("an interrupted download is resumed where it stopped", async () => {
  const { progress: watched, after } = arrivals();
  const { url, requests } = await listen((request, response, number) => {
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(number === 0 ? 200 : 206, {
      "content-length": archive.length - from,
      "content-range": `bytes ${from}-${archive.length - 1}/${archive.length}`,
    });
    if (number === 2) return void response.end(archive.subarray(from));
    response.write(archive.subarray(from, from + 3_000));
    void after(from + 3_000).then(() => response.destroy());
  });
  const folder = await fetchLibtorch({ env: cache(), progress: watched, archive: pin(url) });
  expect(readFileSync(join(folder, "lib/libtorch_cpu.so")).equals(library)).toBe(true);
  expect(requests).toEqual([undefined, "bytes=3000-", "bytes=6000-"]);
  expect(lines).toContainEqual(expect.stringMatching(/broke off after 3000 of \d+ bytes: .*; resuming/));
});

test("a server without range requests sends it from the start", async () => {
  const { progress: watched, after } = arrivals();
  const { url, requests } = await listen((_, response, number) => {
    response.writeHead(200, { "content-length": archive.length });
    if (number > 0) return void response.end(archive);
    response.write(archive.subarray(0, 3_000));
    void after(3_000).then(() => response.destroy());
  });
  const folder = await fetchLibtorch({ env: cache(), progress: watched, archive: pin(url) });
  expect(readFileSync(join(folder, "lib/libtorch_cpu.so")).equals(library)).toBe(true);
  expect(requests).toEqual([undefined, "bytes=3000-"]);
});

test("two at once end with one whole folder", async () => {
  const env = cache();
  const source = pin(await serve(archive));
  const folders = await Promise.all([1, 2, 3].map(() => fetchLibtorch({ env, progress, archive: source })));
  expect(new Set(folders).size).toBe(1);
  expect(readdirSync(join(folders[0]!, ".."))).toEqual(["torch-2.13.0-cpu"]);
});

test("two at once replace a damaged one", async () => {
  const env = cache();
  const source = pin(await serve(archive));
  const folder = await fetchLibtorch({ env, progress, archive: source });
  spoil(join(folder, "lib/libtorch_cpu.so"));
  await Promise.all([1, 2, 3].map(() => fetchLibtorch({ env, progress, archive: source })));
  expect(readFileSync(join(folder, "lib/libtorch_cpu.so")).equals(library)).toBe(true);
  expect(readdirSync(join(folder, ".."))).toEqual(["torch-2.13.0-cpu"]);
});

test("a cache folder that is a file is named, with the way out", async () => {
  const file = join(writeTree(temporaryFolder(), { file: "" }), "file");
  const failure = fetchLibtorch({ env: { XDG_CACHE_HOME: file, PATH: programs() }, progress });
  await expect(failure).rejects.toThrow(/could not be written to the cache folder\n.*ENOTDIR.*\n {2}-> free .*XDG_CACHE_HOME/);
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
