/**
 * Keeps files in a hidden folder until their replacement is in place. Whenever a process is killed, every file is in
 * one of two places, and the name of the folder tells how to recover:
 *
 * - `.smaug-moving`: moving was interrupted, and there are no new files yet. The entries are moved back.
 * - the given name: all entries are here, and new files may have been written. The caller decides.
 * - `.smaug-discarded`: the replacement is in place. The remaining entries are removed.
 */
import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { InputError } from "../errors";
import { hasEntry, shellQuoted } from "./paths";
import { flush } from "./wholeFiles";

const MOVING = ".smaug-moving";
const DISCARDED = ".smaug-discarded";

export class SetAside {
  private constructor(
    private readonly folder: string,
    private readonly name: string,
  ) {}

  /** Moves entries of `folder`, such as `model.safetensors` or `runs/events`, into the hidden folder `name`. */
  static move(folder: string, name: string, entries: readonly string[]): SetAside {
    const moving = join(folder, MOVING);
    mkdirSync(moving);
    const touched = new Set([folder, moving]);
    try {
      for (const entry of entries) {
        const [from, to] = [join(folder, entry), join(moving, entry)];
        mkdirSync(dirname(to), { recursive: true });
        renameSync(from, to);
        touched.add(dirname(from)).add(dirname(to));
      }
    } catch (error) {
      moveBack(folder);
      throw error;
    }
    touched.forEach(flush);
    rename(folder, MOVING, name);
    return new SetAside(folder, name);
  }

  /** What an earlier process has set aside and neither restored nor discarded. */
  static find(folder: string, name: string): SetAside | undefined {
    return existsSync(join(folder, name)) ? new SetAside(folder, name) : undefined;
  }

  /** Completes what a killed process had begun: moving, restoring or discarding. */
  static recover(folder: string): void {
    const moving = join(folder, MOVING);
    if (isOwnFolder(moving)) moveBack(folder);
    else if (hasEntry(moving))
      throw new InputError(
        `Expected a folder at ${moving}, which an interrupted run left, but received something else; remove it`,
      );
    rmSync(join(folder, DISCARDED), { recursive: true, force: true });
  }

  get path(): string {
    return join(this.folder, this.name);
  }

  /** Removes the entries: their replacement is in place, and flushed. */
  discard(): void {
    flush(this.folder);
    rename(this.folder, this.name, DISCARDED);
    rmSync(join(this.folder, DISCARDED), { recursive: true, force: true });
  }

  /** Moves the entries back. New files must have been removed, see {@link removeEntries}. */
  restore(): void {
    rename(this.folder, this.name, MOVING);
    moveBack(this.folder);
  }

  /** The shell command that does what {@link restore} does, after removing `partial` entries of the folder. */
  restoreCommand(partial: readonly string[]): string {
    const { folder, name } = this;
    const commands = [`cd ${shellQuoted(folder.startsWith("-") ? `./${folder}` : folder)}`];
    if (partial.length > 0) commands.push(`rm -rf ${partial.map(shellQuoted).join(" ")}`);
    const visit = (inside: string): void => {
      const names = readdirSync(join(folder, name, inside)).map((each) => join(inside, each));
      const [merged, moved] = [[] as string[], [] as string[]];
      for (const each of names) {
        const isMerged = !partial.includes(each) && [folder, join(folder, name)].every((place) => isOwnFolder(join(place, each)));
        (isMerged ? merged : moved).push(each);
      }
      merged.forEach(visit);
      const target = inside === "" ? "." : shellQuoted(inside);
      if (moved.length > 0) commands.push(`mv -f ${moved.map((each) => shellQuoted(join(name, each))).join(" ")} ${target}`);
      commands.push(`rmdir ${shellQuoted(join(name, inside))}`);
    };
    visit("");
    return `(${commands.join(" && ")})`;
  }
}

/** Removes entries of a folder, and the folders that they leave empty. */
export function removeEntries(folder: string, entries: readonly string[]): void {
  const touched = new Set([folder]);
  for (const entry of entries) {
    rmSync(join(folder, entry), { recursive: true, force: true });
    touched.add(dirname(join(folder, entry)));
  }
  for (const each of touched)
    if (each === folder || readdirSync(each).length > 0) flush(each);
    else rmdirSync(each);
}

function moveBack(folder: string): void {
  const touched = new Set([folder]);
  const visit = (inside: string): void => {
    for (const name of readdirSync(join(folder, MOVING, inside))) {
      const entry = join(inside, name);
      const [from, to] = [join(folder, MOVING, entry), join(folder, entry)];
      if (isOwnFolder(from) && isOwnFolder(to)) visit(entry);
      else renameSync(from, to);
      touched.add(dirname(to));
    }
    touched.forEach(flush); // before the folder that records where they were is removed
    rmdirSync(join(folder, MOVING, inside));
  };
  visit("");
  flush(folder);
}

function rename(folder: string, from: string, to: string): void {
  renameSync(join(folder, from), join(folder, to));
  flush(folder);
}

/** Whether a folder itself has that name, as opposed to a link to one. */
const isOwnFolder = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
