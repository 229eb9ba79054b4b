/**
 * Which files make up a split. A folder's files belong to a split by the hub's conventions: the name before
 * `-00000-of-00001`, a word such as `train`, `test` or `validation` in the file's name, or else the name of a folder
 * above it. What names no split is "train". If the folder's card declares configurations, one of them determines
 * the files, and may assign them to splits.
 */
import type { Stats } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, join, relative, sep } from "node:path";
import { DATA_ENDINGS, HubError, repoName, resolveFolder } from "../../hub";
import { InputError } from "../../base/errors";
import { CARD, type DataConfig, chooseConfig, matchesPattern } from "./dataCard";
import { expectFile, unreadable } from "./source";

export type DataKind = "jsonl" | "json" | "parquet";

export interface DataFile {
  readonly path: string;
  readonly kind: DataKind;
}

const KINDS: Record<(typeof DATA_ENDINGS)[number], DataKind> = {
  ".jsonl": "jsonl",
  ".jsonl.gz": "jsonl",
  ".ndjson": "jsonl",
  ".json": "json",
  ".json.gz": "json",
  ".parquet": "parquet",
};
const EXTENSIONS = DATA_ENDINGS.join(", ");

/** JSON that describes a data set and holds none of it. */
const DESCRIPTIONS = new Set(["dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"]);

/** Other words for the usual splits. */
const WORDS = new Map(
  Object.entries({
    train: "train",
    training: "train",
    test: "test",
    testing: "test",
    eval: "test",
    evaluation: "test",
    validation: "validation",
    valid: "validation",
    val: "validation",
    dev: "validation",
  }),
);

export interface DataChoice {
  split?: string | undefined;
  revision?: string | undefined;
  /** A configuration declared in the data set's card. */
  config?: string | undefined;
}

/** The files of `source`, in the order in which their rows are counted. */
export async function findDataFiles(source: string, choice: DataChoice): Promise<DataFile[]> {
  const { path, stats } = await locate(source, choice);
  if (stats.isDirectory()) return filesOf(path, source, choice);
  const file = fileOf(path, choice.split);
  expectFile(path, stats);
  return [file];
}

/** The names of the splits of `source`; for a single file, the split that its name tells. */
export async function splitNames(source: string, choice: Omit<DataChoice, "split"> = {}): Promise<string[]> {
  const { path, stats } = await locate(source, choice);
  return stats.isDirectory() ? [...(await splitsOf(path, source, choice.config)).keys()] : [splitOf(basename(path))];
}

/** Where `source` is on disk. Of a data set on the hub, only the files of one configuration are fetched. */
async function locate(source: string, { revision, config }: DataChoice): Promise<{ path: string; stats: Stats }> {
  const options = { kind: "dataset", ...(revision === undefined ? {} : { revision }) } as const;
  const files = repoName(source, revision) ? await filesToFetch(source, options, config) : undefined;
  // A path comes back as it is.
  const path = await resolveFolder(source, { ...options, ...(files === undefined ? {} : { files }) });
  const stats = await stat(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  if (config !== undefined && !stats.isDirectory())
    throw new InputError(
      `Expected a folder with a card that declares the config '${config}', but '${path}' is one file. Leave dataset_config out.`,
    );
  return { path, stats };
}

/**
 * The files of the chosen configuration, as hub patterns, in which `*` matches across folders: the card is read first, so
 * that only the files needed are fetched. Undefined for all files.
 */
async function filesToFetch(
  source: string,
  options: { kind: "dataset"; revision?: string },
  wanted: string | undefined,
): Promise<string[] | undefined> {
  let folder: string;
  try {
    folder = await resolveFolder(source, { ...options, files: [CARD] });
  } catch (error) {
    if (error instanceof HubError && (error.reason === "unusable" || error.reason === "offline")) return undefined;
    throw error;
  }
  const config = chooseConfig(folder, source, wanted);
  if (!config || (!config.splits && config.folder === "")) return undefined;
  const patterns = config.splits
    ? [...config.splits.values()].flat().map((pattern) => pattern.replaceAll(/\{[^}]*\}|\[[^\]]*\]/g, "*"))
    : DATA_ENDINGS.map((ending) => `**${inAnyCase(ending)}`);
  const whole = patterns.map((pattern) => join(config.folder, pattern));
  return [CARD, ...whole.flatMap((pattern) => [pattern.replaceAll("**", "*"), pattern.replaceAll("**/", "")])];
}

/** `.json` as `.[jJ][sS][oO][nN]`. */
const inAnyCase = (ending: string): string => ending.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);

function fileOf(path: string, split: string | undefined): DataFile {
  const kind = kindOf(path);
  if (!kind) throw new InputError(`Expected a data file (${EXTENSIONS}) but received '${path}'. Convert it to JSON Lines.`);
  const own = splitOf(basename(path));
  if (split !== undefined && split !== "train" && split !== own)
    throw new InputError(`Expected a source with the split '${split}' but '${path}' is one file. Name another file.`);
  return { path, kind };
}

async function filesOf(folder: string, name: string, { split: wanted, config }: DataChoice): Promise<DataFile[]> {
  const splits = await splitsOf(folder, name, config);
  const found = [...splits.keys()];
  const split = wanted ?? (found.length === 1 ? found[0]! : "train");
  const files = splits.get(split);
  const there = found.map((each) => `'${each}'`).join(", ");
  if (!files) throw new InputError(`Expected the split '${split}' in '${name}' but found ${there}. Name one of them.`);
  const kinds = new Set(files.map(({ kind }) => kind));
  if (kinds.size > 1)
    throw new InputError(
      `Expected files of one kind for the split '${split}' in '${name}' but found ${[...kinds].join(" and ")}. ` +
        "Name the file to read.",
    );
  return files;
}

/** The data files of a folder by split. */
async function splitsOf(folder: string, name: string, wanted: string | undefined): Promise<Map<string, DataFile[]>> {
  const config = chooseConfig(folder, name, wanted);
  const all = await filesUnder(folder);
  const splits = new Map<string, DataFile[]>();
  const add = (split: string, path: string, kind: DataKind) => splits.set(split, [...(splits.get(split) ?? []), { path, kind }]);
  for (const path of all) {
    const kind = kindOf(path);
    const inside = relative(join(folder, config?.folder ?? ""), path);
    if (!kind || DESCRIPTIONS.has(basename(path)) || inside.startsWith("..")) continue;
    if (config?.splits) for (const split of splitsThatName(inside, config)) add(split, path, kind);
    else add(splitOf(inside), path, kind);
  }
  if (splits.size > 0) return splits;
  throw new InputError(noData(config ? `'${name}' (config '${config.name}')` : `'${name}'`, all));
}

function splitsThatName(path: string, { splits }: DataConfig): string[] {
  const slashed = path.split(sep).join("/");
  return [...splits!].flatMap(([split, patterns]) =>
    patterns.some((pattern) => matchesPattern(slashed, pattern)) ? [split] : [],
  );
}

function noData(name: string, files: readonly string[]): string {
  const expected = `Expected data files (${EXTENSIONS}) in ${name} but found`;
  if (files.some((file) => file.endsWith(".arrow")))
    return `${expected} Arrow files. Write the data set with 'dataset.to_parquet(...)' or 'dataset.to_json(...)'.`;
  const others = files
    .slice(0, 5)
    .map((file) => `'${basename(file)}'`)
    .join(", ");
  return `${expected} ${others || "no file"}.`;
}

/** The paths of all files in a folder, sorted; what begins with a dot is left out. Links are followed. */
export async function filesUnder(folder: string): Promise<string[]> {
  const found: string[] = [];
  await addFiles(folder, [], { found, folders: 0 });
  return found;
}

/** Most files, and most folders, of one data set: links between folders can multiply them without end. */
const MOST_FILES = 100_000;

interface Found {
  readonly found: string[];
  folders: number;
}

/** `around` are the folders that contain this one, by device and inode. */
async function addFiles(folder: string, around: readonly string[], all: Found): Promise<void> {
  const read = async <T>(path: string, action: () => Promise<T>): Promise<T> =>
    action().catch((error: unknown) => {
      throw unreadable(path, error);
    });
  const { dev, ino } = await read(folder, () => stat(folder));
  const self = `${dev}:${ino}`;
  all.folders++;
  if (around.includes(self))
    throw new InputError(`Expected a folder of data files at '${folder}', but it is a link to a folder that contains it.`);
  const entries = await read(folder, () => readdir(folder, { withFileTypes: true }));
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    const isData = kindOf(path) !== undefined;
    if (entry.name.startsWith(".")) continue;
    const stats = await stat(path).catch((error: unknown) => {
      if (isData) throw unreadable(path, error);
      return undefined; // a broken link, under a name that is not data's
    });
    if (stats?.isDirectory()) await addFiles(path, [...around, self], all);
    else if (stats) {
      if (isData) expectFile(path, stats);
      all.found.push(path);
    }
    if (all.found.length > MOST_FILES || all.folders > MOST_FILES)
      throw new InputError(`Expected at most ${MOST_FILES} files in '${folder}', but found more. Name a folder below it.`);
  }
}

function kindOf(path: string): DataKind | undefined {
  const ending = /\.[a-z]+(\.gz)?$/.exec(path.toLowerCase())?.[0];
  const known = DATA_ENDINGS.find((each) => each === ending);
  return known && KINDS[known];
}

/** The split that a path inside a folder names. */
function splitOf(path: string): string {
  const parts = path.split(sep);
  const name = parts.pop()!;
  const numbered = /^(\w+(?:\.\w+)*)-\d{5}-of-\d{5}/.exec(name)?.[1];
  if (numbered) return WORDS.get(numbered) ?? numbered;
  for (const text of [name.replace(/\..*$/, ""), ...parts.reverse()])
    for (const word of text.toLowerCase().split(/[^a-z]+/)) {
      const split = WORDS.get(word);
      if (split !== undefined) return split;
    }
  return "train";
}
