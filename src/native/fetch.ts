/**
 * Fetching the pinned libtorch for the CPU into the cache folder: the official archive, else the same version as a
 * wheel through pip, which knows the user's mirrors and proxies. Only `smaug setup` comes here.
 */
import { spawn } from "node:child_process";
import { createWriteStream, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { libraryDefect } from "./elf";
import { examine, libraryFiles } from "./locate";
import { cacheFolder, type Environment } from "./paths";
import type { Progress } from "./progress";
import { SetupError } from "./setupError";
import { publishFolder, stagingFolder } from "../base/wholeFiles";
import { unpackLibtorch } from "./unpack";

export const pinned = "2.13.0";

const archiveUrl =
  `https://download.pytorch.org/libtorch/cpu/libtorch-shared-with-deps-${pinned}%2Bcpu.zip`;

/** A host that does not answer in this time is out of reach, and pip has its turn. */
const answerSeconds = 6;
/** A download that stands still for so long has broken off. */
const stallSeconds = 30;

export interface FetchOptions {
  env: Environment;
  progress: Progress;
  url?: string;
}

/** Fetches libtorch unless the cache has it, and returns its folder. */
export async function fetchLibtorch({ env, progress, url = archiveUrl }: FetchOptions): Promise<string> {
  const target = join(cacheFolder(env), "libtorch", `torch-${pinned}-cpu`);
  if (!defectOf(target)) return target;
  const staging = stagingFolder(target);
  try {
    const unpacked = join(staging, "torch");
    mkdirSync(unpacked);
    const failures: string[] = [];
    const sources = [
      ["official archive", () => download(url, join(staging, "libtorch.zip"), progress)],
      ["pip", () => pipDownload(env, join(staging, "wheel"), progress)],
    ] as const;
    for (const [name, get] of sources) {
      try {
        const archive = await get();
        progress.line("unpacking libtorch");
        await unpackLibtorch(archive, unpacked);
        const defect = defectOf(unpacked);
        if (defect) throw new Error(defect);
        if (defectOf(target)) rmSync(target, { recursive: true, force: true });
        publishFolder(unpacked, target);
        return target;
      } catch (error) {
        failures.push(`${name}: ${reason(error)}`);
        progress.line(failures.at(-1)!);
        rmSync(unpacked, { recursive: true, force: true });
        mkdirSync(unpacked);
      }
    }
    throw new SetupError(`libtorch ${pinned} for the CPU could not be fetched`, failures.join("\n"), [
      `unpack it yourself from ${url} and run: npx smaug setup --libtorch DIR`,
      "or install PyTorch 2.11 to 2.14 for python3, of any flavour, and run: npx smaug setup",
    ]);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/** Why a folder is not the libtorch to fetch, or `undefined`. */
function defectOf(folder: string): string | undefined {
  const result = examine(folder);
  if (typeof result === "string") return result;
  if (result.cuda) return `libtorch ${result.version} needs CUDA's own libraries beside it`;
  return libraryFiles(result).map((file) => libraryDefect(file)).find(Boolean);
}

async function download(url: string, file: string, progress: Progress): Promise<string> {
  const abort = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const expectWithin = (seconds: number, what: string) => {
    clearTimeout(timer);
    timer = setTimeout(() => abort.abort(new Error(`${what} for ${seconds} s`)), seconds * 1000);
  };
  try {
    progress.line(`fetching libtorch ${pinned} for the CPU (about 200 MB) from its archive`);
    expectWithin(answerSeconds, "no answer");
    const response = await fetch(url, { signal: abort.signal });
    if (!response.ok || !response.body) throw new Error(`HTTP ${response.status}`);
    const total = Number(response.headers.get("content-length") ?? 0);
    let received = 0;
    const count = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        received += chunk.length;
        expectWithin(stallSeconds, "no bytes");
        progress.share("fetching libtorch", received, total);
        done(null, chunk);
      },
    });
    await pipeline(Readable.fromWeb(response.body as ReadableStream), count, createWriteStream(file));
    if (total && received !== total) throw new Error(`broke off after ${received} of ${total} bytes`);
    return file;
  } finally {
    clearTimeout(timer);
  }
}

// "+cpu" first: a bare version may be the wheel for CUDA, which is several times the size and no use alone.
async function pipDownload(env: Environment, folder: string, progress: Progress): Promise<string> {
  progress.line(`fetching libtorch ${pinned} for the CPU (about 200 MB) with pip`);
  const options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--dest", folder];
  const attempt = (version: string) => runPip(env, ["download", ...options, `torch==${version}`]);
  await attempt(`${pinned}+cpu`).catch(() => attempt(pinned));
  const wheel = readdirSync(folder).find((name) => name.endsWith(".whl"));
  if (!wheel) throw new Error("pip left no wheel");
  return join(folder, wheel);
}

function runPip(env: Environment, args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const pip = spawn("python3", ["-m", "pip", ...args], { env, stdio: ["ignore", "ignore", "pipe"] });
    let errors = "";
    pip.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
    pip.on("error", () => reject(new Error("there is no python3")));
    pip.on("close", (code) =>
      code === 0 ? resolve() : reject(new Error(errors.trim().split("\n").at(-1) || `pip ended with code ${code}`)));
  });
}

// fetch says "fetch failed" and puts the reason into the cause.
function reason(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? cause.message : message;
}
