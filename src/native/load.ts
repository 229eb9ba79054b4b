/**
 * Opening libtorch and the addon. Chooses, checks and loads; never fetches, compiles or runs a program: that is
 * `smaug setup`. Every step leaves a line of the table that `smaug doctor` prints, and the first problem ends it.
 */
import { relative } from "node:path";
import nodeGypBuild from "node-gyp-build";
import { type EnvironmentVariables, packageRoot } from "../base/package";
import { findAddon } from "./addon";
import { NativeLoadError } from "./errors";
import type { NativeBinding } from "./interface";
import { hostChecks } from "./setup/host";
import { fetchedDefect, libraryDefect } from "./setup/libraries";
import { type Libtorch, type Located, libraryFiles, locate, supportedText } from "./setup/locate";
import { type Check, formatChecks } from "./setup/report";

interface Loader {
  /** dlopen with RTLD_NOW | RTLD_GLOBAL; throws the dynamic linker's message. */
  open(path: string): void;
  hasSymbol(name: string): boolean;
}

export interface LoadAttempt {
  /** Present when every check is fine. */
  binding?: NativeBinding;
  libtorch?: Libtorch | undefined;
  checks: Check[];
  /** Which part did not work: another libtorch is needed, or another addon. */
  failed?: "libtorch" | "addon";
}

/** `at::show_config()` returning the string of C++11's ABI, which all libtorch builds of the supported minors have. */
const abiSymbol = "_ZN2at11show_configB5cxx11Ev";

/** Loads the addon, or throws a {@link NativeLoadError} that says what was found, what is expected and what to do. */
export function load(): NativeBinding {
  const { binding, checks } = attemptLoad();
  if (binding) return binding;
  throw new NativeLoadError(`libtorch could not be loaded\n\n${formatChecks([...hostChecks(), ...checks])}\n`);
}

/**
 * Loads the addon for `chosen` or what `env` names, from the addons under `root`, and reports each step. `verify` compares
 * the digests of a fetched libtorch before it is opened, which takes half a second; without it, only sizes.
 */
export function attemptLoad(
  env: EnvironmentVariables = process.env,
  root = packageRoot,
  chosen?: Libtorch,
  { verify = false } = {},
): LoadAttempt {
  const checks: Check[] = [];
  const ok = (name: string, found: string, expected: string) => checks.push({ name, found, expected, status: "ok" });
  const problem = (failed: "libtorch" | "addon", check: Omit<Check, "status">): LoadAttempt => {
    checks.push({ ...check, status: "problem" });
    return { libtorch, checks, failed };
  };

  const located: Located = chosen ? { libtorch: chosen, rejected: [] } : locate({ env });
  const { libtorch } = located;
  if (!libtorch)
    return problem("libtorch", {
      name: "libtorch",
      found: describeRejected(located),
      expected: supportedText,
      fix: wayToLibtorch(located),
    });
  ok("libtorch", `${libtorch.version} (${libtorch.source})`, supportedText);
  ok("folder", libtorch.folder, "lib/, and include/ for building");

  const expected = `one for libtorch ${libtorch.minor}`;
  const [forLoader, forTorch] = [findAddon(root, "loader"), findAddon(root, `torch-${libtorch.minor}`)];
  if (!forLoader.addon || !forTorch.addon) {
    const { passedOver } = forTorch.addon ? forLoader : forTorch;
    return problem("addon", { name: "addon", found: passedOver.join("; "), expected, fix: "npx smaug setup" });
  }
  const [loaderFolder, { folder, file }] = [forLoader.addon.folder, forTorch.addon];
  const aside = forTorch.passedOver.length > 0 ? ` (${forTorch.passedOver.join("; ")})` : "";
  ok("addon", relative(root, file) + aside, expected);

  const rebuild = "npx smaug setup --build";
  const loader = result(() => nodeGypBuild(loaderFolder) as Loader);
  if (loader instanceof Error)
    return problem("addon", { name: "loader", found: firstLine(loader), expected: "opens", fix: rebuild });
  const opened = result(() => openAll(loader, libtorch, verify));
  if (opened instanceof Error)
    return problem("libtorch", {
      name: "libraries",
      found: firstLine(opened),
      expected: "open",
      fix: wayToOpening(firstLine(opened), libtorch),
    });
  ok("libraries", libtorch.cuda ? "CPU and CUDA" : "CPU", "open");
  if (!loader.hasSymbol(abiSymbol))
    return problem("libtorch", { name: "C++ ABI", found: "older", expected: "C++11", fix: wayToAnother(libtorch) });
  ok("C++ ABI", "C++11", "C++11");

  const binding = result(() => {
    // Node binds symbols lazily, and a missing one would end the process at its first call: bind all of them now.
    loader.open(file);
    return nodeGypBuild(folder) as NativeBinding;
  });
  const found = binding instanceof Error ? firstLine(binding) : `for libtorch ${binding.versions().compiled}`;
  if (binding instanceof Error || !found.startsWith(`for libtorch ${libtorch.minor}.`))
    return problem("addon", { name: "loading", found, expected, fix: rebuild });
  ok("loading", found, expected);
  return { binding, libtorch, checks };
}

function openAll(loader: Loader, libtorch: Libtorch, verify: boolean): void {
  const libraries = libraryFiles(libtorch);
  const difference = fetchedDefect(libtorch.folder, libraries, verify ? "digest" : "size");
  if (difference) throw new Error(difference);
  for (const library of libraries) {
    const defect = libraryDefect(library);
    if (defect) throw new Error(`${library}: ${defect}`);
    loader.open(library);
  }
}

function describeRejected({ rejected }: Located): string {
  return rejected.map(({ folder, source, reason }) => `${source}: ${folder}: ${reason}`).join("; ") || "none";
}

function wayToLibtorch({ rejected }: Located): string {
  const ordered = rejected.some(({ source }) => source === "LIBTORCH");
  return ordered ? "unset LIBTORCH; npx smaug setup    (or let it name a libtorch folder)" : "npx smaug setup";
}

function wayToAnother({ source }: Libtorch): string {
  return `${source === "LIBTORCH" ? "unset LIBTORCH; " : ""}npx smaug setup --fetch    (libtorch for the CPU)`;
}

function wayToOpening(message: string, libtorch: Libtorch): string {
  const glibc = /GLIBC_([\d.]+)' not found/.exec(message)?.[1];
  if (glibc) return `npx smaug setup --libtorch DIR    (one built for an older glibc; this one needs ${glibc})`;
  return wayToAnother(libtorch);
}

/** What `action` returns or throws. */
function result<T>(action: () => T): T | Error {
  try {
    return action();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function firstLine({ message }: Error): string {
  return message.split("\n")[0]!;
}
