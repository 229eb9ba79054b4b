/** Where things are: the package, its addons, and what setup keeps for the user. */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

export type Environment = Record<string, string | undefined>;

/** The package's folder, from `src/native` and from `dist/native` alike. */
export const packageRoot = join(__dirname, "..", "..");

/** The package's own version. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as { version: string };
  return version;
}

/** The user's cache folder for smaug: a fetched libtorch, and which libtorch setup chose. */
export function cacheFolder(env: Environment): string {
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), ".cache"), "smaug");
}
