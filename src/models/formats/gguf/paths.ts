/** Where a GGUF model is: one file, or shards named `<name>-00001-of-0000N.gguf`. */
import { basename, dirname, join } from "node:path";
import { hasEntry, isFolder } from "../../../base/files/paths";
import { listed } from "../../../base/values";
import { FolderError, filesIn } from "../../folder";

const SHARD = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/;

/**
 * The GGUF file at a path: the path itself, or the one in a folder that has no safetensors. Of shards, the first.
 * Undefined when the path is something else.
 *
 * @throws FolderError when a folder has several
 */
export function findGguf(path: string): string | undefined {
  if (path.endsWith(".gguf")) return path;
  if (!isFolder(path)) return undefined;
  const names = filesIn(path);
  if (names.some((name) => name.endsWith(".safetensors") || name.endsWith(".safetensors.index.json"))) return undefined;
  const files = names.filter((name) => name.endsWith(".gguf") && !name.startsWith("."));
  const models = files.filter((name) => Number(SHARD.exec(name)?.[2] ?? 1) === 1);
  if (files.length > 0 && models.length !== 1)
    throw new FolderError(
      `Expected one GGUF model in ${path} but received ${listed(files.sort())}; give the path of the file to load`,
    );
  return models[0] && join(path, models[0]);
}

/** The file, and all others it is a shard with. */
export function shardsOf(path: string): string[] {
  const [, prefix, , total] = SHARD.exec(basename(path)) ?? [];
  if (total === undefined || Number(total) === 0) return [path];
  const five = (n: number) => String(n).padStart(5, "0");
  const names = Array.from({ length: Number(total) }, (_, i) => `${prefix}-${five(i + 1)}-of-${total}.gguf`);
  const missing = names.filter((name) => !hasEntry(join(dirname(path), name)));
  if (missing.length > 0)
    throw new FolderError(
      `Expected ${names.length} shards beside ${path} but ${listed(missing)} ` + `${missing.length === 1 ? "is" : "are"} missing`,
    );
  return names.map((name) => join(dirname(path), name));
}
