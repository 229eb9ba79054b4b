/**
 * Building the two addons with cmake-js. Each build has a fresh folder, so that a killed or a concurrent build spoils
 * nothing; finished files are renamed into `build/`.
 */
import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, renameSync, rmSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { digestOf } from "../../base/files/checksums";
import { flush, flushFolder, makeFolder, stagingFolder, writeWhole } from "../../base/files/wholeFiles";
import type { EnvironmentVariables } from "../../base/package";
import { buildFolder, sourceStamp, stampFile } from "../addon";
import { buildToolChecks } from "./host";
import type { Libtorch } from "./locate";
import { formatChecks, hasProblem, SetupError, type SetupProgress } from "./report";

/** A unit that includes ATen takes about this much to compile, in bytes. */
const memoryPerCompiler = 2 ** 31;

export interface BuildOptions {
  root: string;
  libtorch: Libtorch;
  env: EnvironmentVariables;
  progress: SetupProgress;
}

/** Builds the loader and the addon for this libtorch's minor. */
export async function buildAddons({ root, libtorch, env, progress }: BuildOptions): Promise<void> {
  const tools = buildToolChecks(env, true);
  if (hasProblem(tools)) throw new SetupError("the addon cannot be built here", formatChecks(tools));
  if (!existsSync(join(libtorch.folder, "include", "ATen", "ATen.h")))
    throw new SetupError("the addon cannot be built", `${libtorch.folder} has no include/ATen/ATen.h`, [
      "install libtorch with its headers, or run: npx smaug setup --fetch",
    ]);

  const name = `torch-${libtorch.minor}`;
  const stamp = sourceStamp(root); // before the compiler reads the sources: a later edit builds again
  const log = join(root, "build", `${name}.log`);
  const { staging, output } = prepare(buildFolder(root, name), log);
  const started = Date.now();
  progress.line(`building the addon for libtorch ${libtorch.minor} (usually under a minute; log: ${log})`);
  try {
    const jobs = Math.max(1, Math.min(availableParallelism(), Math.floor(totalmem() / memoryPerCompiler)));
    const code = await run(root, env, output, [
      "build",
      `--CDLIBTORCH=${libtorch.folder}`,
      `--CDADDON_DIR=${join(staging, "addon")}`,
      `--CDLOADER_DIR=${join(staging, "loader")}`,
      "--out",
      join(staging, "cmake"),
      "--parallel",
      String(jobs),
    ]);
    if (code !== 0) {
      const tail = readFileSync(log, "utf8").trimEnd().split("\n").slice(-30).join("\n");
      throw new SetupError("the addon could not be built", tail, [`the whole log is in ${log}`]);
    }
    await install(join(staging, "loader"), buildFolder(root, "loader"), "loader.node", stamp);
    await install(join(staging, "addon"), buildFolder(root, name), "smaug.node", stamp);
    progress.line(`built in ${Math.round((Date.now() - started) / 1000)} s`);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/** Creates the folder to build in and opens the log. */
function prepare(target: string, log: string): { staging: string; output: number } {
  try {
    const staging = stagingFolder(target);
    rmSync(log, { recursive: true, force: true }); // whatever has that name: a FIFO would wait for a reader
    return { staging, output: openSync(log, "wx") };
  } catch (error) {
    throw new SetupError("the addon cannot be built", (error as Error).message, [
      `let ${dirname(log)} be a folder that can be written`,
    ]);
  }
}

function run(root: string, env: EnvironmentVariables, output: number, args: string[]): Promise<number | null> {
  const cmakeJs = join(dirname(require.resolve("cmake-js/package.json")), "bin", "cmake-js");
  return new Promise<number | null>((resolve, reject) => {
    spawn(process.execPath, [cmakeJs, ...args], { cwd: root, env, stdio: ["ignore", output, output] })
      .on("error", reject)
      .on("close", resolve);
  }).finally(() => closeSync(output));
}

/**
 * Puts an addon and its stamp in place. The old stamp is removed first, and the new one, with the digest of the addon,
 * is written last: a build that is killed in between, or another that ends at the same time, leaves an addon that
 * counts as out of date.
 */
async function install(from: string, to: string, file: string, stamp: string): Promise<void> {
  const [built, folder] = [join(from, "build", "Release", file), join(to, "build", "Release")];
  makeFolder(folder);
  flush(built);
  const digest = digestOf(built);
  rmSync(stampFile(to), { force: true });
  renameSync(built, join(folder, file));
  await flushFolder(folder);
  await writeWhole(stampFile(to), `${stamp} ${digest}\n`);
}
