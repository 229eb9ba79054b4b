/** What a key of another project's configuration comes to here. */

export type Settings = Readonly<Record<string, unknown>>;

export type Answer =
  /** It says nothing that matters here, and may stay. */
  | { readonly kind: "moot"; readonly because?: string }
  /** It is taken as these settings, with a note. */
  | { readonly kind: "read"; readonly settings: Settings; readonly note: string }
  /** An error: these settings say the same. */
  | { readonly kind: "write"; readonly settings: Settings; readonly because?: string }
  /** An error: nothing says the same. `because` says why, and what to do instead. */
  | { readonly kind: "leave out"; readonly because: string };

export const moot = (because?: string): Answer => ({ kind: "moot", because });
export const read = (settings: Settings, note: string): Answer => ({ kind: "read", settings, note });
export const write = (settings: Settings, because?: string): Answer => ({ kind: "write", settings, because });
export const leaveOut = (because: string): Answer => ({ kind: "leave out", because });

/** The answer to a value, knowing all that the configuration gives. */
export type Rule = (value: unknown, all: Settings) => Answer;

/** A project's keys, those that are settings here excepted. */
export interface Project {
  /** "axolotl's" */
  readonly owner: string;
  /** What its keys come to, with values that are not off. */
  readonly rules: Readonly<Record<string, Rule>>;
  /** The value of a key that asks for nothing. */
  isOff(key: string, value: unknown): boolean;
}

/** Rules for several keys with one answer. */
export function each(keys: string, answer: Answer): Record<string, Rule> {
  return Object.fromEntries(keys.trim().split(/\s+/).map((key) => [key, () => answer]));
}

/** A rule for a key that is ours under another name. */
export const renamed = (name: string): Rule => (value) => write({ [name]: plain(value) });

/** Why settings are written that the configuration does not name. */
export function defaultsOf(project: string, settings: Settings): string {
  const names = Object.keys(settings);
  return `${project}'s ${names.length === 1 ? "default" : "defaults"}: ${names.join(", ")}`;
}

/** A value of a command line in its own type: `true`, `4`, `0.5`; other strings as they are. */
export function plain(value: unknown): unknown {
  if (value === "true" || value === "false") return value === "true";
  if (typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value))) return Number(value);
  return value;
}

/** Values by which most projects say "not set". */
export function isEmpty(value: unknown): boolean {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return ["", "null", "none", "None", "false", "False", "[]", "{}"].includes(text);
}
