/** How a key from another project's configuration is answered. */

export type Settings = Readonly<Record<string, unknown>>;

export type Answer =
  /** It has no effect here and can stay. */
  | { readonly kind: "moot"; readonly because?: string }
  /** It is read as these settings, with a note. */
  | { readonly kind: "read"; readonly settings: Settings; readonly note: string }
  /** An error: these settings are the equivalent. */
  | { readonly kind: "write"; readonly settings: Settings; readonly because?: string }
  /** An error: there is no equivalent. `because` says why, and what to do instead. */
  | { readonly kind: "leave out"; readonly because: string };

export const moot = (because?: string): Answer => ({ kind: "moot", because });
export const read = (settings: Settings, note: string): Answer => ({ kind: "read", settings, note });
export const write = (settings: Settings, because?: string): Answer => ({ kind: "write", settings, because });
export const leaveOut = (because: string): Answer => ({ kind: "leave out", because });

/** Why keys for chat templates, and for trackers, are not needed. */
export const template = "messages are rendered with the tokenizer's own chat template, texts are taken as they are";
export const tracker = "metrics.jsonl and TensorBoard events are written anyway";

/** The answer to a value, given the whole configuration. */
export type Rule = (value: unknown, all: Settings) => Answer;

/** A project's keys, except those that are smaug settings too. */
export interface Project {
  /** "axolotl's" */
  readonly owner: string;
  /** How its keys are answered, for values that are not off. */
  readonly rules: Readonly<Record<string, Rule>>;
  /** Whether a key has a value that asks for nothing. */
  isOff(key: string, value: unknown): boolean;
}

/** One rule for several keys. */
export function each(keys: string, answer: Answer): Record<string, Rule> {
  return Object.fromEntries(
    keys
      .trim()
      .split(/\s+/)
      .map((key) => [key, () => answer]),
  );
}

/** A rule for a key that smaug has under another name. */
export const renamed =
  (name: string): Rule =>
  (value) =>
    write({ [name]: plain(value) });

/** Why settings are written that the configuration does not name. */
export function defaultsOf(project: string, settings: Settings): string {
  const names = Object.keys(settings);
  return `${names.join(" and ")} ${names.length === 1 ? `is ${project}'s default` : `are ${project}'s defaults`}`;
}

/** A command-line value converted to its type: `true`, `4`, `0.5`; other strings as they are. */
export function plain(value: unknown): unknown {
  if (value === "true" || value === "false") return value === "true";
  if (typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value))) return Number(value);
  return value;
}

/** Whether a value means "not set" in most projects. */
export function isEmpty(value: unknown): boolean {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return ["", "null", "none", "None", "false", "False", "[]", "{}"].includes(text);
}
