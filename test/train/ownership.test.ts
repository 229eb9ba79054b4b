/** Whose files are in a run's folder, with files that stand for a run's: what is refused, kept, put back and deleted. */
import { execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { InputError } from "../../src/base/errors";
import { findConflict } from "../../src/base/files/outputFolder";
import { stateOf, thisProcess } from "../../src/base/processes";
import { copyForeignEntries, isRunEntry, removeCheckpoint } from "../../src/train/output/entries";
import { type OutputRequest, RunOutput } from "../../src/train/output/ownership";

/** Changes of the file system that are still made; after that the process is as good as killed. */
const life = vi.hoisted(() => ({ left: Infinity }));

vi.mock("node:fs", async (original) => {
  const fs: Record<string, unknown> = { ...(await original<typeof import("node:fs")>()) };
  for (const name of ["renameSync", "rmSync", "rmdirSync", "mkdirSync", "writeFileSync", "linkSync"]) {
    const change = fs[name] as (...args: unknown[]) => unknown;
    fs[name] = (...args: unknown[]) => {
      if (life.left-- <= 0) throw new Error("killed");
      return change(...args);
    };
  }
  fs["fsyncSync"] = () => {}; // nothing here outlives the machine
  return { ...fs, default: fs };
});

const root = mkdtempSync(join(tmpdir(), "smaug-ownership-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folder: string;
let folders = 0;
beforeEach(() => void (folder = join(root, `run ${++folders}`)));
afterEach(() => void (life.left = Infinity));

function write(files: Readonly<Record<string, string>>, into = folder): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(into, name)), { recursive: true });
    writeFileSync(join(into, name), content);
  }
}

/** Files with their content, hidden ones too. */
function contents(of = folder): Record<string, string> {
  if (!existsSync(of)) return {};
  const files = readdirSync(of, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
  return Object.fromEntries(paths.map((path) => [path.slice(of.length + 1), readFileSync(path, "utf8")]));
}

const users = {
  "notes.txt": "mine",
  "README.md": "mine",
  "checkpoint-old/a": "mine",
  "runs/mine.txt": "mine",
  "checkpoint-7/notes.txt": "mine",
  "config.json": "mine",
};
const old = {
  "adapter_model.safetensors": "old",
  "adapter_config.json": "old",
  "tokenizer.json": "old",
  "metrics.jsonl": "old",
  "trainer_state.json": "old",
  "report.html": "old",
  "runs/events.out.tfevents.1.host.2.0": "old",
  "checkpoint-3/adapter_model.safetensors": "old",
  "checkpoint-3/trainer_state.json": "old",
  "checkpoint-6/adapter_model.safetensors": "old",
  "checkpoint-6/trainer_state.json": "old",
  "checkpoint-6/mine.txt": "mine",
};
const logs = { "metrics.jsonl": "new", "trainer_state.json": "new", "runs/events.out.tfevents.9.host.9.0": "new" };

const ways = {
  resume: "smaug train a.yaml --resume_from_checkpoint true",
  overwrite: "smaug train a.yaml --overwrite_output_dir true",
};
const claim = (changes: Partial<OutputRequest> = {}) =>
  RunOutput.claim({ folder, overwrite: false, resume: null, ways, ...changes });

/** A run that logs, writes a checkpoint unless it `fails` before, and ends. */
function run(changes: Partial<OutputRequest> = {}, { fails = false } = {}): void {
  const output = claim(changes);
  try {
    output.begin();
    write(logs);
    output.started();
    if (fails) return;
    write({ "trainer_state.json": "new", "adapter_model.safetensors": "new" }, join(folder, ".smaug-staging"));
    renameSync(join(folder, ".smaug-staging"), join(folder, "checkpoint-2"));
    output.replaced();
  } finally {
    output.release();
  }
}
const begun = { ...logs, "checkpoint-2/trainer_state.json": "new", "checkpoint-2/adapter_model.safetensors": "new" };

function errorOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return (error as Error).message;
  }
  throw new Error("nothing is wrong");
}

describe("a folder with another run's files", () => {
  test("is refused, with both lines to paste, and stays as it was", () => {
    write({ ...old, ...users });
    const message = errorOf(claim);
    expect(message).toContain("2 checkpoints up to checkpoint-6 and adapter_model.safetensors");
    expect(message.split("\n").filter((line) => line.startsWith("  "))).toEqual([`  ${ways.resume}`, `  ${ways.overwrite}`]);
    expect(contents()).toEqual({ ...old, ...users });
  });

  test.each(["adapter_model.safetensors", "model.safetensors", "model-00001-of-00002.safetensors", "pytorch_model.bin"])(
    "is refused for %s alone, without a line that could not resume",
    (name) => {
      write({ [name]: "old" });
      expect(errorOf(claim)).not.toContain(ways.resume);
    },
  );

  test("with only logs, or folders named like checkpoints, does not count as another run's", () => {
    write({ ...users, "metrics.jsonl": "old", "trainer_state.json": "old", "runs/events.out.tfevents.1.host.2.0": "old" });
    run();
    expect(contents()).toEqual({ ...users, ...begun });
  });

  test("is resumed with its own checkpoint; with another run's it must be overwritten", () => {
    const state = (start: string) => JSON.stringify({ stateful_callbacks: { smaug: { start, fixed: { seed: 1 } } } });
    write({ "checkpoint-3/trainer_state.json": state("a"), "checkpoint-3/optimizer.safetensors": "old" });
    const elsewhere = join(root, `elsewhere ${folders}`, "checkpoint-2");
    write({ "trainer_state.json": state("a") }, elsewhere);
    claim({ resume: join(folder, "checkpoint-3") }).release();
    claim({ resume: elsewhere }).release();
    write({ "trainer_state.json": state("b") }, elsewhere);
    expect(errorOf(() => claim({ resume: elsewhere }))).toContain(`which is not the run of ${elsewhere}`);
    claim({ resume: elsewhere, overwrite: true }).release();
    expect(Object.keys(contents())).toEqual(["checkpoint-3/optimizer.safetensors", "checkpoint-3/trainer_state.json"]);
    expect(errorOf(() => claim({ folder: join(root, "none"), resume: true }))).toContain("Expected a checkpoint in");
    expect(existsSync(join(root, "none"))).toBe(false);
  });
});

describe("overwriting", () => {
  test("moves what the run wrote aside with its first file, and deletes it once there is a checkpoint", () => {
    write({ ...old, ...users });
    const output = claim({ overwrite: true });
    expect(contents()).toMatchObject({ ...old, ...users });
    output.begin();
    const aside = Object.fromEntries(Object.entries(old).map(([name, content]) => [`.smaug-previous/${name}`, content]));
    delete aside[".smaug-previous/checkpoint-6/mine.txt"];
    expect(contents()).toEqual({ ...aside, ...users, "checkpoint-6/mine.txt": "mine", ".smaug.lock": expect.anything() });
    output.replaced();
    output.release();
    expect(contents()).toEqual({ ...users, "checkpoint-6/mine.txt": "mine" });
  });

  test("puts everything back when the run ends earlier", () => {
    write({ ...old, ...users });
    run({ overwrite: true }, { fails: true });
    expect(contents()).toEqual({ ...old, ...users });
  });

  test("puts everything back when the process exits, as after a second Ctrl-C", () => {
    write({ ...old, ...users });
    const others = new Set(process.listeners("exit"));
    const output = claim({ overwrite: true });
    output.begin();
    write(logs);
    const [onExit, ...more] = process.listeners("exit").filter((listener) => !others.has(listener));
    expect(more).toEqual([]);
    onExit!(130);
    expect(contents()).toEqual({ ...old, ...users });
    expect(process.listeners("exit").every((listener) => others.has(listener))).toBe(true);
  });

  test("leaves weights that it does not write, and does not take them for the new run's", () => {
    const foreign = { "pytorch_model.bin": "mine", "config.json": "mine" };
    write({ ...old, ...foreign });
    const output = claim({ overwrite: true });
    output.begin();
    life.left = 0;
    expect(() => output.release()).toThrow();
    life.left = Infinity;
    rmSync(join(folder, ".smaug.lock"));
    run({ overwrite: true }, { fails: true });
    expect(contents()).toEqual({ ...old, ...foreign });
  });

  test("leaves the user's folders that are named like a run's files", () => {
    const named = [
      "metrics.jsonl",
      "report.html",
      "trainer_state.json",
      "tokenizer.json",
      "adapter_config.json",
      "runs/events.out.tfevents.1",
      "checkpoint-3/config.json",
    ];
    const mine = Object.fromEntries(named.map((name) => [`${name}/notes.txt`, "mine"]));
    write({ ...mine, "adapter_model.safetensors": "old", "checkpoint-3/adapter_model.safetensors": "old" });
    const output = RunOutput.claim({ folder, overwrite: true, resume: null, ways });
    output.begin();
    output.started();
    output.replaced();
    output.release();
    expect(contents()).toEqual(mine);
  });

  test("follows a link to the folder", () => {
    write(old, join(root, `place ${folders}`));
    symlinkSync(join(root, `place ${folders}`), folder);
    run({ overwrite: true });
    expect(contents(join(root, `place ${folders}`))).toEqual({ ...begun, "checkpoint-6/mine.txt": "mine" });
  });

  /** Runs with overwriting, killed after so many changes; returns whether it came to its end. */
  const survives = (changes: number): boolean => {
    life.left = changes;
    try {
      run({ overwrite: true });
      return true;
    } catch {
      return false;
    } finally {
      life.left = Infinity;
    }
  };

  /** Runs the command with which the refusal restores the old files, if there is one. */
  const restoresByHand = (): boolean => {
    const line = /^ {2}(\(cd .*\))$/m.exec(errorOf(claim))?.[1];
    if (line !== undefined) execFileSync("sh", ["-c", line]);
    return line !== undefined;
  };

  const removeTemporary = (): void => {
    for (const name of readdirSync(folder))
      if (/^\.smaug(-staging|-\d|\.lock)/.test(name)) rmSync(join(folder, name), { recursive: true });
  };

  test("loses neither run's files, whenever it is killed", () => {
    const seen = new Set<string>();
    for (let changes = 0; ; changes++) {
      const next = changes % 2 === 0 ? "restores" : "starts again";
      folder = join(root, `killed ${changes}`);
      write({ ...old, ...users });
      if (survives(changes)) {
        expect(contents()).toEqual({ ...users, ...begun, "checkpoint-6/mine.txt": "mine" });
        expect([...seen].sort()).toEqual(["new", "old", "restored"]);
        return;
      }
      rmSync(join(folder, ".smaug.lock"), { force: true }); // its process is gone
      if (next === "starts again") run({ overwrite: true }, { fails: true });
      else if (restoresByHand()) seen.add("restored");
      removeTemporary();
      const found = contents();
      const kind = found["checkpoint-2/trainer_state.json"] === undefined ? "old" : "new";
      seen.add(kind);
      expect(found, `${changes} changes, ${next}`).toEqual(
        kind === "old" ? { ...old, ...users } : { ...users, ...begun, "checkpoint-6/mine.txt": "mine" },
      );
    }
  });

  test("again, after a run was killed, keeps the first run and discards what the killed one left", () => {
    write({ ...old, ...users });
    const output = claim({ overwrite: true });
    output.begin();
    write({ ...logs, "runs/events.out.tfevents.5.host.5.0": "killed" });
    life.left = 0;
    expect(() => output.release()).toThrow();
    life.left = Infinity;
    rmSync(join(folder, ".smaug.lock"));
    expect(errorOf(() => claim({ resume: true }))).toContain(join(folder, ".smaug-previous"));
    run({ overwrite: true }, { fails: true });
    expect(contents()).toEqual({ ...old, ...users });
  });
});

describe("resuming a run that had ended", () => {
  const results = {
    "adapter_model.safetensors": "old",
    "adapter_config.json": "old",
    "metrics.jsonl": "old",
    "trainer_state.json": "old",
    "report.html": "old",
  };
  const rest = Object.fromEntries(Object.entries(old).filter(([name]) => !(name in results)));

  test("keeps its results until there is a checkpoint", () => {
    write(old);
    run({ resume: true }, { fails: true });
    expect(contents()).toEqual(old);
    run({ resume: true });
    expect(contents()).toEqual({ ...rest, ...begun });
  });

  test("and being killed leaves them to the next start", () => {
    write(old);
    const output = claim({ resume: true });
    output.begin();
    write(logs);
    life.left = 0;
    expect(() => output.release()).toThrow();
    life.left = Infinity;
    rmSync(join(folder, ".smaug.lock"));
    expect(errorOf(claim)).toContain("adapter_model.safetensors");
    expect(contents()).toEqual({ ...old, "runs/events.out.tfevents.9.host.9.0": "new" }); // logs of steps that were taken
  });
});

describe("one run at a time", () => {
  const lock = (holder: object) =>
    write({ ".smaug.lock": JSON.stringify({ ...thisProcess(), since: Date.UTC(2026, 0, 2), ...holder }) });

  test("is refused in one process, and free again at the end", () => {
    const first = claim();
    expect(errorOf(claim)).toMatch(/in use by another run of this process since \d{4}-/);
    first.release();
    expect(existsSync(folder)).toBe(false);
    claim().release();
  });

  test("is refused while another process runs, which the message names", async () => {
    const other = spawn("sleep", ["60"]);
    const started = Number(readFileSync(`/proc/${other.pid}/stat`, "latin1").split(") ")[1]!.split(" ")[19]);
    lock({ pid: other.pid, started });
    expect(stateOf({ pid: other.pid!, started, host: hostname() })).toBe("running");
    expect(errorOf(claim)).toContain(`in use by process ${other.pid} since 2026-01-02 00:00:00 UTC`);
    const ended = new Promise((resolve) => other.once("close", resolve));
    other.kill("SIGKILL");
    await ended;
    claim().release();
    expect(existsSync(join(folder, ".smaug.lock"))).toBe(false);
  });

  test("takes over a lock whose pid belongs to another process by now, and one that cannot be read", () => {
    lock({ started: 1 });
    claim().release();
    write({ ".smaug.lock": "{" });
    claim().release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test("leaves another host's lock, with the line that removes it", () => {
    lock({ host: "elsewhere" });
    const message = errorOf(claim);
    expect(message).toContain("of the host elsewhere");
    execFileSync("sh", ["-c", /^ {2}(rm .*)$/m.exec(message)![1]!]);
    claim().release();
  });

  test("creates the folder, and removes it unless something came into it", () => {
    folder = join(root, `deep ${folders}`, "a", "b");
    claim().release();
    expect(existsSync(join(root, `deep ${folders}`))).toBe(false);
    run();
    expect(contents()).toEqual(begun);
  });
});

describe("inputs", () => {
  const input = (path: string) => [{ path, option: "model", owner: "model's" }];
  const how = (output: string, path: string) => findConflict(output, input(path), isRunEntry)?.how;

  test.each<[string, () => [string, string], string | undefined]>([
    ["the output", () => [folder, folder], "same"],
    ["the output with a slash, from elsewhere", () => [`${folder}/`, `${folder}/../${folder.split("/").pop()}`], "same"],
    ["a link to the output", () => [folder, link(folder)], "same"],
    ["what the output is a link to", () => [link(folder), folder], "same"],
    ["around the output, which does not exist yet", () => [join(folder, "a", "b"), folder], "contains"],
    ["around the output behind a link", () => [join(link(folder), "a"), folder], "contains"],
    ["a checkpoint in the output", () => [folder, join(folder, "checkpoint-3")], "replaced"],
    ["in what a killed run set aside", () => [folder, join(folder, ".smaug-previous")], "replaced"],
    ["logs in the output", () => [folder, join(folder, "metrics.jsonl")], "replaced"],
    ["a folder of links into the output", () => [folder, folderOfLinks()], "replaced"],
    ["a GGUF file in the output", () => [folder, join(folder, "model.gguf")], "same"],
    ["other files in the output", () => [folder, join(folder, "data", "pairs.jsonl")], undefined],
    ["next to the output, by a longer name", () => [folder, `${folder}-2`], undefined],
    ["nothing, but a name on the hub", () => [folder, "owner/name"], undefined],
  ])("that are %s", (_, paths, expected) => {
    write({ ...old, "data/pairs.jsonl": "", "model.gguf": "", ".smaug-previous/config.json": "" });
    mkdirSync(`${folder}-2`);
    const [output, path] = paths();
    expect(how(output, path)).toBe(expected);
  });

  function link(to: string): string {
    const path = join(root, `link ${++folders}`);
    symlinkSync(to, path);
    return path;
  }
  function folderOfLinks(): string {
    const path = join(root, `links ${++folders}`);
    mkdirSync(path);
    symlinkSync(join(folder, "adapter_model.safetensors"), join(path, "weights.safetensors"));
    return path;
  }
});

test("a checkpoint that is removed or replaced leaves the user's files in it", () => {
  write({
    "a/trainer_state.json": "old",
    "a/optimizer.safetensors": "old",
    "a/notes.txt": "mine",
    "b/trainer_state.json": "old",
  });
  write({ "c/trainer_state.json": "new" });
  copyForeignEntries(join(folder, "a"), join(folder, "c"));
  removeCheckpoint(join(folder, "a"));
  removeCheckpoint(join(folder, "b"));
  expect(contents()).toEqual({ "a/notes.txt": "mine", "c/notes.txt": "mine", "c/trainer_state.json": "new" });
  expect(readdirSync(folder)).toEqual(["a", "c"]);
});
