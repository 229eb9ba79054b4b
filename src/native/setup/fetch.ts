/**
 * Fetching the pinned libtorch for the CPU into the cache folder: the official archive, else the same version as a
 * wheel through pip, which knows the user's mirrors and proxies. Only archives with pinned digests are unpacked. Only
 * `smaug setup` uses this.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expectDigest } from "../../base/files/checksums";
import { publishFolder, stagingFolder } from "../../base/files/wholeFiles";
import { cacheFolder, type EnvironmentVariables } from "../../base/package";
import { download, nameOf, UnreachableError } from "./download";
import { fetchedDefect, hasManifest, libraryDefect, writeManifest } from "./libraries";
import { examine, libraryFiles } from "./locate";
import { officialArchive, type PinnedArchive, pinned, wheels as pinnedWheels } from "./pins";
import { SetupError, type SetupProgress } from "./report";
import { unpackLibtorch } from "./unpack";

export interface FetchOptions {
  env: EnvironmentVariables;
  progress: SetupProgress;
  /** Replaces the pinned archive, for tests. */
  archive?: PinnedArchive;
  wheels?: Readonly<Record<string, string>>;
}

/** An archive on this disk, verified. */
interface Fetched {
  file: string;
  name: string;
  sha256: string;
}

/** There is no python3 with pip; reported only if nothing else can help. */
class NoPipError extends Error {}

/** Where the fetched libtorch is, or will be. */
export function fetchedFolder(env: EnvironmentVariables): string {
  return join(cacheFolder(env), "libtorch", `torch-${pinned}-cpu`);
}

/** Fetches libtorch unless the cache has it, verified, and returns its folder. */
export async function fetchLibtorch(options: FetchOptions): Promise<string> {
  const target = fetchedFolder(options.env);
  if (!defectOf(target)) return target;
  const staging = onDisk(() => stagingFolder(target));
  try {
    const unpacked = join(staging, "torch");
    await fetchInto(unpacked, staging, options);
    onDisk(() => publish(unpacked, target));
    return target;
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

async function fetchInto(unpacked: string, staging: string, options: FetchOptions): Promise<void> {
  const { env, progress, archive = officialArchive, wheels = pinnedWheels } = options;
  const failures: { source: string; error: Error }[] = [];
  const sources: [string, () => Promise<Fetched>][] = [
    ["official archive", () => downloadArchive(archive, join(staging, "libtorch.zip"), progress)],
    ["pip", () => pipDownload(env, join(staging, "wheel"), wheels, progress)],
  ];
  for (const [source, get] of sources) {
    try {
      const fetched = await get();
      progress.line("unpacking libtorch");
      writeManifest(unpacked, fetched, await unpackLibtorch(fetched.file, unpacked));
      const defect = defectOf(unpacked);
      if (defect) throw new Error(defect);
      return;
    } catch (error) {
      if (isOfDisk(error)) throw diskError(error);
      rmSync(unpacked, { recursive: true, force: true });
      failures.push({ source, error: error as Error });
      if (!(error instanceof NoPipError)) progress.line(`${source}: ${(error as Error).message}`);
    }
  }
  throw notFetched(archive, failures);
}

function notFetched(archive: PinnedArchive, failures: readonly { source: string; error: Error }[]): SetupError {
  const wasReached = !(failures[0]!.error instanceof UnreachableError);
  // When the archive was reached, a missing Python has nothing to do with the failure.
  const told = failures.filter(({ error }) => !(wasReached && error instanceof NoPipError));
  const found = told.map(({ source, error }) => `${source}: ${error.message}`).join("\n");
  return new SetupError(`libtorch ${pinned} for the CPU could not be fetched`, found, [
    `unpack it yourself from ${archive.url} and run: npx smaug setup --libtorch DIR`,
    ...(wasReached ? [] : ["or install PyTorch 2.11 to 2.14 for python3, of any flavour, and run: npx smaug setup"]),
  ]);
}

/** Puts the folder in place, unless another setup has done so in the meantime. */
function publish(unpacked: string, target: string): void {
  try {
    // One call for 9,000 headers, each of which would otherwise wait for the disk.
    const { status } = spawnSync("sync", ["-f", unpacked], { stdio: "ignore" });
    publishFolder(unpacked, target, { replace: defectOf(target) !== undefined, flushed: status === 0 });
  } catch (error) {
    if (defectOf(target)) throw error;
  }
}

/** Why a folder is not the libtorch to fetch, or `undefined`. */
function defectOf(folder: string): string | undefined {
  const result = examine(folder);
  if (typeof result === "string") return result;
  if (result.cuda) return `libtorch ${result.version} needs CUDA's own libraries next to it`;
  if (!hasManifest(folder)) return "an earlier version fetched it without recording its digests";
  const libraries = libraryFiles(result);
  return libraries.map((file) => libraryDefect(file)).find(Boolean) ?? fetchedDefect(folder, libraries, "digest");
}

async function downloadArchive(archive: PinnedArchive, file: string, progress: SetupProgress): Promise<Fetched> {
  progress.line(`fetching libtorch ${pinned} for the CPU (${Math.round(archive.bytes / 1e6)} MB) from its archive`);
  await download(archive, file, progress);
  return { file, name: nameOf(archive), sha256: archive.sha256 };
}

/**
 * The wheel for the user's Python, else one for another: only its libraries are used. Always `+cpu`: the bare version is
 * the wheel for CUDA, which is several times the size and of no use without CUDA's own libraries.
 */
async function pipDownload(
  env: EnvironmentVariables,
  folder: string,
  wheels: Readonly<Record<string, string>>,
  progress: SetupProgress,
): Promise<Fetched> {
  progress.line(`fetching libtorch ${pinned} for the CPU (about 200 MB) with pip`);
  const anyPython = [
    "--python-version",
    "3.13",
    "--implementation",
    "cp",
    "--abi",
    "cp313",
    "--platform",
    "manylinux_2_28_x86_64",
  ];
  let first: Error | undefined;
  for (const python of [[], anyPython]) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    try {
      await runPip(env, [
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--disable-pip-version-check",
        "--dest",
        folder,
        ...python,
        `torch==${pinned}+cpu`,
      ]);
      return await verifiedWheel(folder, wheels);
    } catch (error) {
      if (error instanceof NoPipError || isOfDisk(error)) throw error;
      first ??= error as Error;
    }
  }
  throw first!;
}

async function verifiedWheel(folder: string, wheels: Readonly<Record<string, string>>): Promise<Fetched> {
  const names = readdirSync(folder).filter((name) => name.endsWith(".whl"));
  const [name] = names;
  if (name === undefined || names.length > 1) throw new Error(`Expected one wheel but pip left ${names.join(", ") || "none"}`);
  const sha256 = Object.hasOwn(wheels, name) ? wheels[name]! : undefined;
  if (sha256 === undefined) throw new Error(`Expected one of ${Object.keys(wheels).join(", ")} but received ${name}`);
  const file = join(folder, name);
  expectDigest(file, sha256);
  return { file, name, sha256 };
}

function runPip(env: EnvironmentVariables, args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const pip = spawn("python3", ["-m", "pip", ...args], { env, stdio: ["ignore", "ignore", "pipe"] });
    let errors = "";
    pip.stderr.setEncoding("utf8").on("data", (text: string) => (errors = (errors + text).slice(-10_000)));
    pip.on("error", () => reject(new NoPipError("there is no python3")));
    pip.on("close", (code) => {
      const last = errors.trim().split("\n").at(-1) || `pip ended with code ${code}`;
      if (code === 0) resolve();
      else reject(/No module named '?pip/.test(last) ? new NoPipError("python3 has no pip") : new Error(last));
    });
  });
}

const diskCodes = new Set(["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "EIO", "EFBIG", "ENOTDIR", "EEXIST", "EMFILE"]);

function isOfDisk(error: unknown): boolean {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return code !== undefined && diskCodes.has(code) && !(syscall ?? "").startsWith("spawn");
}

/** Runs an action that writes to the cache folder. */
function onDisk<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw isOfDisk(error) ? diskError(error) : error;
  }
}

function diskError(error: unknown): SetupError {
  return new SetupError("libtorch could not be written to the cache folder", (error as Error).message, [
    "free 700 MB there, or let XDG_CACHE_HOME name a folder that can be written, and run it again",
  ]);
}
