/** Fetches chat templates that may not be committed: from Python wheels, downloaded once with pip into smaug's cache folder. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { publishFolder, stagingFolder } from "../../../src/base/files/wholeFiles";
import { cacheFolder } from "../../../src/base/package";

/** A Python package, and the folder in it that holds the templates. */
export interface Wheel {
  readonly version: string;
  readonly templates: string;
}

/** The folder with the templates of `name`'s wheel, shared with scripts/parity/templates.py. */
export function wheelFolder(name: string, { version, templates }: Wheel): string {
  const target = join(cacheFolder(process.env), "templates", `${name}-${version}`);
  const folder = join(target, templates);
  if (existsSync(folder)) return folder;
  const spec = `${name}==${version}`;
  const downloads = mkdtempSync(join(tmpdir(), "smaug-wheel-"));
  const staging = stagingFolder(target);
  python(spec, [
    "-m",
    "pip",
    "download",
    "--no-deps",
    "--only-binary=:all:",
    "--python-version",
    "3.12",
    "--dest",
    downloads,
    spec,
  ]);
  python(spec, ["-m", "zipfile", "-e", join(downloads, readdirSync(downloads)[0]!), staging]);
  publishFolder(staging, target);
  return folder;
}

function python(spec: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync("python3", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`pip could not fetch ${spec}, which this test needs:\n${error?.message ?? stderr}`);
}
