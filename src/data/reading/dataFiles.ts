/**
 * Which files of a source are read: the one rule for training, evaluation, recipes and studies.
 *
 * A source is a file, a folder, or a data set of the hub, of which only the files needed are fetched. If the card of a
 * folder declares configurations, one of them determines the files, and may assign them to splits. Otherwise a file
 * belongs to the split that its name tells, as on the hub: the name before `-00000-of-00001`, or else the first of the
 * words train, test, validation and their synonyms (eval and evaluation are test; dev, val and valid are validation) in
 * its name, or else in the nearest folder. What names no split is "train".
 *
 * A split of another name is the files numbered under that name, or else those with that word in their name, or else in
 * a folder's. Numbered files of two synonyms are two splits: of cais/mmlu, "validation" is not "dev".
 *
 * The same rules give the split of a single file, which can also always be read as "train".
 */
import type { Stats } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, join, relative, sep } from "node:path";
import { InputError } from "../../base/errors";
import { DATA_ENDINGS, HubError, type ResolveOptions, repoName, resolveFolder } from "../../hub";
import { CARD, chooseConfig, type DataConfig, findConfig, matchesPattern } from "./dataCard";
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

/** The words for the usual splits. */
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
const USUAL: ReadonlySet<string> = new Set(WORDS.values());

export interface DataSource {
  revision?: string | undefined;
  /** A configuration declared in the data set's card. Default: the only one, or the card's default. */
  config?: string | undefined;
  /** What messages call the option that names the configuration. */
  configOption?: string | undefined;
  /** Patterns of the files of a hub data set to fetch, or "all". Default: those of the configuration. */
  files?: readonly string[] | "all" | undefined;
}

export interface DataChoice extends DataSource {
  split?: string | undefined;
}

/** The files of `source`, in the order in which their rows are counted. */
export async function findDataFiles(source: string, choice: DataChoice): Promise<DataFile[]> {
  return (await DataSet.open(source, choice)).files(choice.split);
}

/** The names of the splits of `source`; for a single file, the split that its name tells. */
export async function splitNames(source: string, choice: DataSource = {}): Promise<string[]> {
  return (await DataSet.open(source, choice)).splitNames();
}

/** The file at `path`, by its ending. */
export function dataFile(path: string): DataFile {
  const kind = kindOf(path);
  if (!kind) throw new InputError(`Expected a data file (${EXTENSIONS}) but received '${path}'; convert it to JSON Lines`);
  return { path, kind };
}

/** A file and the split that it belongs to. */
interface Member extends DataFile {
  readonly split: string;
  /** The name that it is numbered under, or that the card gives its split. */
  readonly own?: string;
}

/** A source on this disk: one file, or the files of a folder. */
export class DataSet {
  private known: readonly Member[] | undefined;

  private constructor(
    private readonly source: string,
    private readonly path: string,
    /** Of a folder, its files. */
    private readonly paths: readonly string[] | undefined,
    private readonly choice: Pick<DataSource, "config" | "configOption"> = {},
    private readonly config?: DataConfig,
  ) {}

  /** @throws InputError when there is nothing to read, HubError when a data set of the hub cannot be had */
  static async open(source: string, choice: DataSource = {}): Promise<DataSet> {
    const { path, stats } = await locate(source, choice);
    if (stats.isDirectory()) return new DataSet(source, path, await filesUnder(path), choice);
    dataFile(path);
    expectFile(path, stats);
    return new DataSet(source, path, undefined);
  }

  get isFile(): boolean {
    return this.paths === undefined;
  }

  splitNames(): string[] {
    return [...new Set(this.members.map(({ split }) => split))];
  }

  /**
   * The files of a split, by default of the only one, or of "train". A single file is also read as "train".
   *
   * @throws InputError when there is no such split, or its files are of several kinds
   */
  files(wanted?: string): DataFile[] {
    if (this.isFile) return this.whole(wanted);
    const found = this.splitNames();
    const split = wanted ?? (found.length === 1 ? found[0]! : "train");
    const files = this.find(split);
    if (files.length > 0) return files;
    const there = found.map((each) => `'${each}'`).join(", ");
    throw new InputError(`Expected the split '${split}' in '${this.source}' but received ${there}; name one of them`);
  }

  has(split: string): boolean {
    return this.select(split).length > 0;
  }

  /** The files of a split of a folder, if there are any. @throws InputError when they are of several kinds */
  find(split: string): DataFile[] {
    const files = this.select(split);
    const kinds = new Set(files.map(({ kind }) => kind));
    if (kinds.size > 1)
      throw new InputError(
        `Expected files of one kind for the split '${split}' in '${this.source}' but received ${[...kinds].join(" and ")}; ` +
          "name the file to read",
      );
    return files;
  }

  private select(split: string): Member[] {
    const own = this.members.filter((member) => member.own === split);
    if (USUAL.has(split)) {
      const usual = this.members.filter((member) => member.split === split);
      return own.length === 0 ? usual : usual.filter((member) => member.own === undefined || member.own === split);
    }
    if (own.length > 0) return own;
    const unnumbered = this.members.filter((member) => member.own === undefined);
    const partsOf = ({ path }: Member) => (this.isFile ? [basename(path)] : relative(this.path, path).split(sep));
    const named = unnumbered.filter((member) => wordsOf(stem(partsOf(member).at(-1)!)).includes(split));
    if (named.length > 0) return named;
    return unnumbered.filter((member) => partsOf(member).slice(0, -1).flatMap(wordsOf).includes(split));
  }

  /** A part of a folder: a configuration that its card declares, or a folder below it. Undefined if there is no such part. */
  part(name: string): DataSet | undefined {
    if (!this.paths) return undefined;
    const declared = findConfig(this.path, name);
    const configured = declared && new DataSet(this.source, this.path, this.paths, {}, declared);
    if (configured && configured.readMembers().length > 0) return configured;
    const below = this.paths.filter((path) => relative(this.path, path).split(sep).slice(0, -1).includes(name));
    const part = new DataSet(this.source, this.path, below, {}, WHOLE);
    return part.readMembers().length > 0 ? part : undefined;
  }

  /** The names of the files, for a message. */
  describe(): string {
    const names = this.members.slice(0, 8).map(({ path }) => `'${relative(this.path, path)}'`);
    return [...names, ...(this.members.length > 8 ? ["…"] : [])].join(", ");
  }

  /** The single file, if it may be read as this split. @throws InputError if not */
  private whole(wanted: string | undefined): DataFile[] {
    if (wanted !== undefined && wanted !== "train" && !this.has(wanted))
      throw new InputError(
        `Expected a source with the split '${wanted}' but '${this.path}' is a single file with the split '${this.splitNames()[0]}'; ` +
          "name another file",
      );
    return [dataFile(this.path)];
  }

  /** @throws InputError when there are none */
  private get members(): readonly Member[] {
    const members = (this.known ??= this.readMembers());
    if (members.length > 0) return members;
    const config = this.chosenConfig();
    throw new InputError(
      noData(config?.name ? `'${this.source}' (config '${config.name}')` : `'${this.source}'`, this.paths ?? []),
    );
  }

  private chosenConfig(): DataConfig | undefined {
    return this.config ?? chooseConfig(this.path, this.source, this.choice.config, this.choice.configOption);
  }

  private readMembers(): Member[] {
    if (!this.paths) return [{ ...dataFile(this.path), ...splitOf(basename(this.path)) }];
    const config = this.chosenConfig();
    return this.paths.flatMap((path) => {
      const kind = kindOf(path);
      const inside = relative(join(this.path, config?.folder ?? ""), path);
      if (!kind || DESCRIPTIONS.has(basename(path)) || inside.startsWith("..")) return [];
      const splits = config?.splits ? splitsThatName(inside, config).map((own) => ({ split: own, own })) : [splitOf(inside)];
      return splits.map((split) => ({ path, kind, ...split }));
    });
  }
}

/** Instead of a configuration: all files, whose names tell their splits. */
const WHOLE: DataConfig = { name: "", isDefault: false, folder: "" };

/** Where `source` is on disk. Of a data set on the hub, only the files of one configuration are fetched. */
async function locate(source: string, { revision, config, files }: DataSource): Promise<{ path: string; stats: Stats }> {
  const options = { kind: "dataset", ...(revision === undefined ? {} : { revision }) } as const;
  const isRepo = files === undefined && repoName(source, revision) !== undefined;
  const wanted = files === "all" ? undefined : (files ?? (isRepo ? await filesToFetch(source, options, config) : undefined));
  // A path comes back as it is.
  const path = await resolve(source, { ...options, ...(wanted === undefined ? {} : { files: wanted }) });
  const stats = await stat(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  if (config !== undefined && !stats.isDirectory())
    throw new InputError(
      `Expected a folder with a card that declares the config '${config}', but '${path}' is one file; leave dataset_config out`,
    );
  return { path, stats };
}

/** `resolveFolder`; where the hub cannot be asked, the error says which data set was wanted and what else there is. */
async function resolve(source: string, options: ResolveOptions): Promise<string> {
  try {
    return await resolveFolder(source, options);
  } catch (error) {
    if (!(error instanceof HubError) || (error.reason !== "unreachable" && error.reason !== "offline")) throw error;
    const instead = `'${source}' was taken for a data set of the hub; a file or folder on this disk can be named instead.`;
    throw new HubError(`${error.message}\n${instead}`, error.reason, { cause: error });
  }
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
    folder = await resolve(source, { ...options, files: [CARD] });
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

function splitsThatName(path: string, { splits }: DataConfig): string[] {
  const slashed = path.split(sep).join("/");
  return [...splits!].flatMap(([split, patterns]) =>
    patterns.some((pattern) => matchesPattern(slashed, pattern)) ? [split] : [],
  );
}

function noData(name: string, files: readonly string[]): string {
  const expected = `Expected data files (${EXTENSIONS}) in ${name} but received`;
  if (files.some((file) => file.endsWith(".arrow")))
    return `${expected} Arrow files; write the data set with 'dataset.to_parquet(...)' or 'dataset.to_json(...)'`;
  const others = files
    .slice(0, 5)
    .map((file) => `'${basename(file)}'`)
    .join(", ");
  return `${expected} ${others || "no file"}`;
}

/** The paths of all files in a folder, sorted; what begins with a dot is left out. Links are followed. */
async function filesUnder(folder: string): Promise<string[]> {
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
    throw new InputError(`Expected a folder of data files at '${folder}', but it is a link to a folder that contains it`);
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
      throw new InputError(`Expected at most ${MOST_FILES} files in '${folder}' but received more; name a folder below it`);
  }
}

function kindOf(path: string): DataKind | undefined {
  const ending = /\.[a-z]+(\.gz)?$/.exec(path.toLowerCase())?.[0];
  const known = DATA_ENDINGS.find((each) => each === ending);
  return known && KINDS[known];
}

/** The split that a path inside a folder tells. */
function splitOf(path: string): Pick<Member, "split" | "own"> {
  const parts = path.split(sep);
  const name = parts.pop()!;
  const own = /^(\w+(?:\.\w+)*)-\d{5}-of-\d{5}/.exec(name)?.[1];
  if (own) return { split: WORDS.get(own) ?? own, own };
  const words = [stem(name), ...parts.reverse()].flatMap(wordsOf);
  return { split: words.map((word) => WORDS.get(word)).find((split) => split !== undefined) ?? "train" };
}

const stem = (name: string): string => name.replace(/\..*$/, "");
const wordsOf = (text: string): string[] => text.toLowerCase().split(/[^a-z]+/);
