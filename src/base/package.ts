/** The package: its folder and version, and the folder that it keeps its caches in. */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

export type EnvironmentVariables = Record<string, string | undefined>;

/** The package's folder, from `src/base` and from `dist/base` alike. */
export const packageRoot = join(__dirname, "..", "..");

/** The package's own version. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as { version: string };
  return version;
}

/** The user's cache folder for smaug: a fetched libtorch, the choice of a libtorch, tokens and reference scores. */
export function cacheFolder(env: EnvironmentVariables): string {
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), ".cache"), "smaug");
}
