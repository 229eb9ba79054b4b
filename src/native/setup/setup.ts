/**
 * `smaug setup`: chooses a libtorch (fetching the pinned one when there is none), and an addon for it (building one
 * when no prebuilt one fits). All that an install script would do, when asked. Doing it again takes no time.
 */
import { dirname, resolve } from "node:path";
import { makeFolder, writeWhole } from "../../base/files/wholeFiles";
import { type EnvironmentVariables, packageRoot } from "../../base/package";
import { findAddon, isCurrent, sourceStamp } from "../addon";
import { buildAddons } from "./build";
import { type FetchOptions, fetchedFolder, fetchLibtorch } from "./fetch";
import { hostChecks, pythonTorch } from "./host";
import { fetchedDefect, libraryDefect } from "./libraries";
import { choiceFile, chosenFolder, examine, type Libtorch, libraryFiles, locate, supportedText } from "./locate";
import { formatChecks, hasProblem, SetupError, type SetupProgress } from "./report";
import { loadInSubprocess } from "./subprocess";

export interface SetupOptions {
  /** Use the libtorch in this folder. */
  libtorch?: string;
  /** Use the pinned libtorch for the CPU, whatever else is there. */
  fetch?: boolean;
  /** Build the addon even when one fits. */
  build?: boolean;
  progress: SetupProgress;
  /** Replaces the pinned sources, for tests. */
  from?: Pick<FetchOptions, "archive" | "wheels">;
  env?: EnvironmentVariables;
  /** The package's folder. */
  root?: string;
}

/** Makes `import "smaug"` work and returns the libtorch it will use, or throws a {@link SetupError}. */
export async function setup(options: SetupOptions): Promise<Libtorch> {
  const { env = process.env, root = packageRoot, build = false, progress } = options;
  const host = hostChecks();
  if (hasProblem(host)) throw new SetupError("smaug does not run on this machine", formatChecks(host));

  const libtorch = await chooseLibtorch(options, env);
  const current = addonsAreCurrent(root, libtorch);
  if (!defectOf(libtorch) && current && !build && chosenFolder(env) === libtorch.folder) return libtorch;

  progress.line(`libtorch ${libtorch.version} in ${libtorch.folder} (${libtorch.source})`);
  let attempt = current && !build ? loadInSubprocess(env, root, libtorch) : undefined;
  // A prebuilt addon may want a newer C library than this machine has.
  if (!attempt || attempt.failed === "addon") {
    await buildAddons({ root, libtorch, env, progress });
    attempt = loadInSubprocess(env, root, libtorch);
  }
  if (!attempt.loaded) throw new SetupError("libtorch could not be loaded", formatChecks(attempt.checks));
  await remember(env, libtorch.folder);
  if (env.LIBTORCH && resolve(env.LIBTORCH) !== libtorch.folder)
    progress.line(`LIBTORCH names another folder and goes before this choice: unset LIBTORCH`);
  return libtorch;
}

async function chooseLibtorch(options: SetupOptions, env: EnvironmentVariables): Promise<Libtorch> {
  const { libtorch: asked, fetch, progress, from } = options;
  if (!fetch) {
    const { libtorch, rejected } = locate({ env, asked, python: () => pythonTorch(env) });
    const isOrder = asked !== undefined || !!env.LIBTORCH;
    const damage = !isOrder && libtorch?.folder === fetchedFolder(env) ? defectOf(libtorch) : undefined;
    if (libtorch && !damage) return libtorch;
    if (damage) rejected.push({ folder: libtorch!.folder, source: libtorch!.source, reason: damage });
    const passedOver = rejected.map(({ folder, source, reason }) => `${source}: ${folder}: ${reason}`);
    if (isOrder)
      throw new SetupError(`expected ${supportedText}`, passedOver.join("\n"), [
        "name a libtorch folder with lib/ and include/, or none to have one found or fetched",
      ]);
    for (const line of passedOver) progress.line(`passed over ${line}`);
  }
  const folder = await fetchLibtorch({ env, progress, ...from });
  const fetched = examine(folder);
  if (typeof fetched === "string") throw new SetupError("the fetched libtorch does not fit", `${folder}: ${fetched}`);
  return { ...fetched, source: "fetched" };
}

/** What is wrong with the libraries: truncated, or different from what setup unpacked. */
function defectOf(libtorch: Libtorch): string | undefined {
  const files = libraryFiles(libtorch);
  return files.map((file) => libraryDefect(file)).find(Boolean) ?? fetchedDefect(libtorch.folder, files, "time");
}

function addonsAreCurrent(root: string, { minor }: Libtorch): boolean {
  const stamp = sourceStamp(root);
  return ["loader", `torch-${minor}`].every((name) => {
    const { addon } = findAddon(root, name);
    return addon !== undefined && isCurrent(addon, stamp);
  });
}

async function remember(env: EnvironmentVariables, folder: string): Promise<void> {
  const file = choiceFile(env);
  try {
    makeFolder(dirname(file));
    await writeWhole(file, `${JSON.stringify({ folder }, null, 2)}\n`);
  } catch (error) {
    throw new SetupError("the choice could not be kept", (error as Error).message, [
      "let XDG_CACHE_HOME name a folder that can be written, and run it again",
    ]);
  }
}
