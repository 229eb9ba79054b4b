/**
 * The configurations that a data set's card declares: `configs` in the YAML header of its README.md, read as `datasets`
 * reads them. Each names the files of its splits, so that files of different configurations are not mixed.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expected, InputError } from "../../base/errors";
import { readInputText } from "../../base/files/inputFiles";
import { parseYaml } from "../../base/formats/yaml";
import { compilePattern, Pattern } from "../../base/patterns";
import { excerpt, isObject, shown } from "../../base/values";

/** One configuration: the folder its files are in and, if the card says so, which files make up each split. */
export interface DataConfig {
  readonly name: string;
  readonly isDefault: boolean;
  /** Relative to the data set's folder; "" is the folder itself. */
  readonly folder: string;
  /** Patterns by split, relative to `folder`. When left out, the files' names tell their splits. */
  readonly splits?: ReadonlyMap<string, readonly string[]>;
}

/** The file that is a data set's card. */
export const CARD = "README.md";
/** Maximum length of a card's header, in characters. */
const MOST = 2 ** 20;

/**
 * Chooses the configuration to read; undefined if the card declares none.
 *
 * @param source the data set's name, for messages
 * @param option what messages call the option that names the configuration
 * @throws InputError when the card does not declare `wanted`, or declares several without a default and none is wanted
 */
export function chooseConfig(
  folder: string,
  source: string,
  wanted: string | undefined,
  option = "'dataset_config' (for eval_dataset_name, 'eval_dataset_config')",
): DataConfig | undefined {
  const configs = readConfigs(folder);
  const named =
    configs
      .slice(0, 20)
      .map(({ name }) => `'${excerpt(name)}'`)
      .join(", ") + (configs.length > 20 ? ", …" : "");
  if (configs.length === 0) {
    if (wanted === undefined || wanted === "default") return undefined;
    throw new InputError(
      `Expected a card that declares the config '${excerpt(wanted)}' in '${source}', but it declares none; leave dataset_config out`,
    );
  }
  const config = configs.find(({ name, isDefault }) => (wanted === undefined ? isDefault : name === wanted));
  if (config) return config;
  if (wanted === undefined && configs.length === 1) return configs[0];
  const received = wanted === undefined ? "received none" : `received '${excerpt(wanted)}'`;
  throw new InputError(
    `Expected ${option} to name one of the configs that the card of '${source}' declares (${named}) but ${received}`,
  );
}

/** The configuration of this name, if the card of the folder declares it. */
export function findConfig(folder: string, name: string): DataConfig | undefined {
  return readConfigs(folder).find((config) => config.name === name);
}

function readConfigs(folder: string): DataConfig[] {
  const path = join(folder, CARD);
  if (!existsSync(path)) return [];
  const head = /^\ufeff?---\r?\n([\s\S]*?)\r?\n---/.exec(readInputText(path, "a data set's card"))?.[1];
  if (head === undefined || head.length > MOST || !/^configs\s*:/m.test(head)) return [];
  const { configs } = parseYaml(head, `'${path}'`) as { configs: unknown };
  if (configs === null) return [];
  const fault = (what: string, found: unknown): InputError =>
    new InputError(expected(what, shown(found), { name: "configs", where: `in '${path}'` }));
  if (!Array.isArray(configs)) throw fault("a list", configs);
  const read = configs.map((config: unknown): DataConfig => {
    if (!isObject(config) || typeof config.config_name !== "string") throw fault("entries with a config_name", config);
    const { config_name: name, default: isDefault, data_dir: folder, data_files: files } = config;
    const splits = files === undefined || files === null ? undefined : splitsOf(files);
    if (splits === null || splits?.size === 0)
      throw fault("data_files as a path, a list of paths, or a list of splits with paths", files);
    return {
      name,
      isDefault: isDefault === true || (isDefault !== false && name === "default"),
      folder: typeof folder === "string" ? folder.replace(/^(\.?\/)+|\/+$/g, "") : "",
      ...(splits ? { splits } : {}),
    };
  });
  const declared = read.find((_, i) => (configs[i] as { default?: unknown }).default === true);
  return declared ? read.map((config) => ({ ...config, isDefault: config === declared })) : read;
}

/** A path or a list of paths is the split "train"; null for anything else that is not a list of splits with paths. */
function splitsOf(files: unknown): Map<string, string[]> | null {
  const list: unknown[] = [files].flat();
  if (list.every((each) => typeof each === "string")) return new Map([["train", list]]);
  const splits = new Map<string, string[]>();
  for (const each of list) {
    if (!isObject(each) || typeof each.split !== "string") return null;
    const paths: unknown[] = [each.path].flat();
    if (!paths.every((path) => typeof path === "string")) return null;
    splits.set(each.split, [...(splits.get(each.split) ?? []), ...paths]);
  }
  return splits;
}

/**
 * Whether a path matches a pattern of a card: `*` and `?` match within a name, `**` matches across folders, `[ab]` and
 * `{a,b}` are alternatives. Both are relative to the same folder and use slashes.
 */
export function matchesPattern(path: string, pattern: string): boolean {
  return expressionOf(pattern.replace(/^(\.?\/)+/, "")).test(path);
}

function expressionOf(pattern: string): Pattern {
  let depth = 0;
  const source = pattern.replace(/\*\*\/|\*+|\?|\[!?[^\]/]+\]|[{},]|[.+^$()|\\[\]]/g, (part) => {
    if (part === "{") return (depth++, "(?:");
    if (part === "}" && depth > 0) return (depth--, ")");
    if (part === ",") return depth > 0 ? "|" : ",";
    return WILDCARDS.get(part) ?? (/^(\*+|\[.+\])$/.test(part) ? manyOrClass(part) : `\\${part}`);
  });
  const place = `the pattern '${excerpt(pattern)}' of ${CARD}`;
  return new Pattern(compilePattern(`^${source}${")".repeat(depth)}$`, "s", place), place);
}

const WILDCARDS = new Map([
  ["**/", "(?:[^/]+/)*"],
  ["*", "[^/]*"],
  ["?", "[^/]"],
]);

function manyOrClass(part: string): string {
  return part.startsWith("*") ? ".*" : part.replace(/^\[!/, "[^").replace(/\\/g, "\\\\");
}
