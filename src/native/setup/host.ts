/** What the machine offers: Node and the C library for running, a compiler, CMake and pip for setting up. */
import { type SpawnSyncOptions, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import type { EnvironmentVariables } from "../../base/package";
import type { Check } from "./report";

/** The oldest glibc that libtorch's own binaries run on. */
const oldestGlibc = "2.28";

/** `2.9` is older than `2.28`. */
export function isOlder(version: string, than: string): boolean {
  const [a, b] = [version, than].map((text) => text.split(".").map(Number));
  const at = b!.findIndex((part, index) => part !== (a![index] ?? 0));
  return at >= 0 && (a![at] ?? 0) < b![at]!;
}

/** Node, and the platform with its C library. */
export function hostChecks(): Check[] {
  const { node, napi = "0" } = process.versions;
  const platform = `${process.platform}-${process.arch}`;
  const glibc = glibcVersion();
  return [
    verdict(!isOlder(node, "20.17") && Number(napi) >= 9, {
      name: "Node",
      found: `${node}, Node-API ${napi}`,
      expected: "20.17 or newer, Node-API 9",
      fix: "install Node 20.17 or newer",
    }),
    verdict(platform === "linux-x64" && glibc !== undefined && !isOlder(glibc, oldestGlibc), {
      name: "platform",
      found: `${platform}, ${glibc ? `glibc ${glibc}` : "no glibc"}`,
      expected: `linux-x64, glibc ${oldestGlibc} or newer`,
      fix: "use a Linux x64 distribution with a newer glibc",
    }),
  ];
}

function verdict(fits: boolean, { fix, ...check }: Omit<Check, "status">): Check {
  return fits ? { ...check, status: "ok" } : { ...check, status: "problem", ...(fix && { fix }) };
}

function glibcVersion(): string | undefined {
  const report = process.report as typeof process.report & { excludeNetwork?: boolean };
  const before = report.excludeNetwork;
  report.excludeNetwork = true; // the report would ask DNS for every interface's name
  const { header } = report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  report.excludeNetwork = before ?? false;
  return header.glibcVersionRuntime;
}

/** A program that does not answer counts as missing. */
const limits: SpawnSyncOptions = { timeout: 20_000, killSignal: "SIGKILL", stdio: ["ignore", "pipe", "ignore"] };

/** The first line a program prints, or `undefined` when it is not there. */
function firstLine(command: string, args: string[], env: EnvironmentVariables): string | undefined {
  const result = spawnSync(command, args, { ...limits, env, encoding: "utf8" });
  return result.status === 0 ? result.stdout.split("\n")[0]!.trim() : undefined;
}

/** What a local build of the addon needs: problems when it is `needed`, else only notes. */
export function buildToolChecks(env: EnvironmentVariables, needed: boolean): Check[] {
  const compiler = firstLine("g++", ["--version"], env) ?? firstLine("clang++", ["--version"], env);
  const cmake = firstLine("cmake", ["--version"], env)?.replace("cmake version ", "");
  const ninja = firstLine("ninja", ["--version"], env);
  const make = ninja ? `ninja ${ninja}` : firstLine("make", ["--version"], env);
  const check = (name: string, found: string | undefined, expected: string, fits = found !== undefined): Check => {
    const row = { name, found: found ?? "none", expected: needed ? expected : `${expected} (for building only)` };
    return needed || fits ? verdict(fits, { ...row, fix: installLine() }) : { ...row, status: "note" };
  };
  return [
    check("compiler", compiler, "g++ or clang++ for C++20"),
    check("CMake", cmake, "3.22 or newer", cmake !== undefined && !isOlder(cmake, "3.22")),
    check("make", make, "ninja or make"),
  ];
}

/** pip, which fetches libtorch where the official archive is out of reach. */
export function pipCheck(env: EnvironmentVariables): Check {
  const pip = firstLine("python3", ["-m", "pip", "--version"], env)?.replace(/ from .*/, "");
  return { name: "pip", found: pip ?? "none", expected: "pip (for fetching only)", status: pip ? "ok" : "note" };
}

function installLine(): string {
  if (existsSync("/usr/bin/apt-get")) return "sudo apt-get install -y g++ cmake make";
  if (existsSync("/usr/bin/dnf")) return "sudo dnf install -y gcc-c++ cmake make";
  return "install g++, CMake 3.22 or newer, and make";
}

/** The folder of the torch package that `python3` would import; it is not imported, which takes seconds. */
export function pythonTorch(env: EnvironmentVariables): string | undefined {
  const find = "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')";
  const result = spawnSync("python3", ["-c", find], { ...limits, env, encoding: "utf8", cwd: "/" });
  return (result.status === 0 && result.stdout.trim()) || undefined;
}

/** The NVIDIA driver's version, when the driver is loaded. */
export function cudaDriver(): string | undefined {
  try {
    return /Kernel Module.*?\s(\d+\.\d+[\d.]*)/.exec(readFileSync("/proc/driver/nvidia/version", "utf8"))?.[1];
  } catch {
    return undefined;
  }
}
