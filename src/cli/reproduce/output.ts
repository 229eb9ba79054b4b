/**
 * The folder of `smaug reproduce`. The same command may be repeated in it: finished cells are reused, and the report
 * and summary are replaced by ones written whole. Results of another command are replaced only when asked to.
 */
import { existsSync } from "node:fs";
import { join, sep } from "node:path";
import { InputError } from "../../base/errors";
import { readInputJson } from "../../base/files/inputFiles";
import { expectApart, expectUsableFolder, type Input, LOCK_NAME, OutputLock } from "../../base/files/outputFolder";
import { realPath } from "../../base/files/paths";
import { StagedFiles } from "../../base/files/wholeFiles";
import { REPORT_FILE } from "../../train/output/entries";

/** Identifies the command that made results. */
export interface ReproduceIdentity {
  readonly preset: string;
  readonly seed: number;
  readonly model: string | null;
  /** Names of the sources of rows. */
  readonly data: readonly string[];
}

const SUMMARY = "summary.json";
const WRITTEN = new Set([SUMMARY, REPORT_FILE, "cells", "references", "runs", LOCK_NAME]);

export class ReproduceOutput {
  private constructor(
    private readonly folder: string,
    private readonly identity: ReproduceIdentity,
    private readonly lock: OutputLock,
    /** The command to paste for overwriting other results; undefined when they are to be overwritten. */
    readonly overwriting: string | undefined,
  ) {}

  /** @throws InputError before any work when the folder is in use, an input, or holds another command's results */
  static claim(folder: string, identity: ReproduceIdentity, overwriting: string | undefined): ReproduceOutput {
    const inputs: Input[] = identity.data.map((path) => ({ path, option: "--data", owner: "data's" }));
    if (identity.model !== null) inputs.push({ path: identity.model, option: "--model", owner: "model's" });
    expectUsableFolder(folder, "--out");
    expectApart(folder, "--out", inputs, (inside) => WRITTEN.has(inside.split(sep)[0]!));
    const lock = OutputLock.acquire(folder, "--out");
    try {
      const found = overwriting === undefined ? undefined : otherResults(folder, identity);
      if (found !== undefined) throw new InputError(`${found}. Choose another '--out', or replace them with\n  ${overwriting}`);
      return new ReproduceOutput(folder, identity, lock, overwriting);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Writes summary.json and report.html. Returns the content of the summary, and the paths of both files. */
  async write(report: string, content: object): Promise<{ summary: object; names: string }> {
    const { model, data } = this.identity;
    const summary = { ...content, made_from: { model, data } };
    const staged = await StagedFiles.in(this.folder);
    try {
      await staged.add(SUMMARY, (file) => file.writeFile(`${JSON.stringify(summary, null, 2)}\n`));
      await staged.add(REPORT_FILE, (file) => file.writeFile(report));
      await staged.commit();
    } finally {
      await staged.discard();
    }
    return { summary, names: [REPORT_FILE, SUMMARY].map((name) => join(this.folder, name)).join("\n") };
  }

  /** Called at the end, after success and failure. */
  release(): void {
    this.lock.release();
  }
}

/** Describes results of another command in the folder, if there are any. */
function otherResults(folder: string, { preset, seed, model, data }: ReproduceIdentity): string | undefined {
  const expected = `Expected a folder without another command's results for '--out' but ${folder}`;
  const file = join(folder, SUMMARY);
  if (!existsSync(file))
    return existsSync(join(folder, REPORT_FILE)) ? `${expected} holds a ${REPORT_FILE} and no ${SUMMARY}` : undefined;
  const found = readSummary(file);
  if (!found) return `${expected} holds a ${SUMMARY} that smaug reproduce did not write`;
  const made = found["made_from"] as { model?: unknown; data?: unknown } | undefined;
  const names = made?.data ?? (found["data"] === null ? [] : found["data"] === undefined ? undefined : [found["data"]]);
  const differing = [
    ["preset", found["preset"], preset],
    ["seed", found["seed"], seed],
    ["model", made?.model, model],
    ["data", names, data],
  ].filter(([, before, now]) => before !== undefined && placesIn(before) !== placesIn(now));
  if (differing.length === 0) return undefined;
  const shown = (value: unknown) => (Array.isArray(value) ? value.join(" ") || "generated" : String(value ?? "made here"));
  return `${expected} holds those of ${differing.map(([name, before]) => `${String(name)} ${shown(before)}`).join(", ")}`;
}

function readSummary(file: string): Record<string, unknown> | undefined {
  try {
    const summary = readInputJson(file, "a summary") as Record<string, unknown> | null;
    return typeof summary?.["preset"] === "string" && "seed" in summary ? summary : undefined;
  } catch {
    return undefined;
  }
}

/** The same for two names of one file. */
function placesIn(value: unknown): string {
  const place = (name: unknown) => (typeof name === "string" && existsSync(name) ? realPath(name) : name);
  return JSON.stringify(Array.isArray(value) ? value.map(place) : place(value)) ?? "";
}
