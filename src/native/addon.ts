/**
 * The two addons on disk: `loader`, and `torch-2.13` and the like, one per libtorch minor. A local build in `build/`
 * wins over a prebuilt one in `prebuilds/`. Beside each lies the stamp of the sources it was made from.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import nodeGypBuild from "node-gyp-build";
import { digestOf } from "../base/files/checksums";
import { readInputText } from "../base/files/inputFiles";
import { libraryDefect } from "./setup/libraries";

export interface Addon {
  /** What node-gyp-build is given. */
  folder: string;
  file: string;
}

export interface AddonSearch {
  addon?: Addon;
  /** Why the folders before it were passed over: `build/torch-2.13: not there`. */
  passedOver: string[];
}

export function buildFolder(root: string, name: string): string {
  return join(root, "build", name);
}

export function prebuildFolder(root: string, name: string): string {
  return join(root, "prebuilds", `${process.platform}-${process.arch}`, name);
}

/** Chooses the addon of that name: the first whose file is whole. */
export function findAddon(root: string, name: string): AddonSearch {
  const passedOver: string[] = [];
  for (const folder of [buildFolder(root, name), prebuildFolder(root, name)]) {
    const file = addonFile(folder);
    const defect = file ? libraryDefect(file) : "not there";
    if (file && !defect) return { addon: { folder, file }, passedOver };
    passedOver.push(`${relative(root, file ?? folder)}: ${defect}`);
  }
  return { passedOver };
}

function addonFile(folder: string): string | undefined {
  try {
    return nodeGypBuild.resolve(folder);
  } catch {
    return undefined;
  }
}

/** A hash of everything that makes the addons, the libtorch minor aside. */
export function sourceStamp(root: string): string {
  const hash = createHash("sha256");
  const sources = readdirSync(join(root, "native"))
    .sort()
    .map((name) => join("native", name));
  for (const name of ["CMakeLists.txt", ...sources]) hash.update(`${name}\0`).update(readFileSync(join(root, name)));
  return hash.digest("hex");
}

export function stampFile(folder: string): string {
  return join(folder, "stamp");
}

/** Whether the addon was made from these sources, and is the very file that its stamp was written for. */
export function isCurrent({ folder, file }: Addon, stamp: string): boolean {
  try {
    const [sources, digest] = readInputText(stampFile(folder), "a stamp", { maxBytes: 1000 }).trim().split(" ");
    return sources === stamp && (digest === undefined || digest === digestOf(file));
  } catch {
    return false;
  }
}
