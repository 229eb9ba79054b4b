/** What a campaign needs of the product: the compiled library, the command, the fixtures, how errors are judged. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { unclearError } from "./judge.mjs";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const CLI = join(ROOT, "dist", "cli", "main.js");
export const require = createRequire(import.meta.url);

/** A module of dist/, loaded when first asked for. */
export const product = (name = "index.js") => require(join(ROOT, "dist", name));
export const parity = (...names) => join(ROOT, "test", "parity", ...names);

/** No network, one thread, nothing of the user's. */
export function environment(folder) {
  const env = {
    ...process.env,
    OMP_NUM_THREADS: "1",
    HF_HUB_OFFLINE: "1",
    XDG_CACHE_HOME: process.env.XDG_CACHE_HOME ?? "",
    NO_COLOR: "1",
    TMPDIR: folder,
  };
  for (const name of ["DEBUG", "NODE_OPTIONS", "HF_TOKEN", "WORLD_SIZE", "RANK", "SMAUG_TEST_DEVICE"]) delete env[name];
  if (env.XDG_CACHE_HOME === "") delete env.XDG_CACHE_HOME;
  return env;
}

/** The fault in an error that an input raised, or undefined when it is a clear refusal. */
export function judgeInput(error, { names = [] }) {
  const { InputError } = product();
  const { DeviceError } = product("native/errors.js");
  const why = unclearError(error, names, (each) => each instanceof InputError || each instanceof DeviceError);
  return why && { type: "unclear", text: `${why}: ${String(error?.stack ?? error).slice(0, 500)}` };
}

/** For results that differ from what is known to be right. */
export const wrong = (text) => ({ type: "wrong", text });
