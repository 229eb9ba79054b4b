/**
 * Disks that fill up: a tmpfs of random size over the output folder, the reference cache, the temporary folder or the
 * log. Mounts are made in a mount namespace that a process of ours holds, so they vanish with it, however that ends. Where
 * that is not permitted, a limit on the size of files stands in (said in the output).
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { run } from "../children.mjs";
import { judgeCommand } from "../judge.mjs";
import { CLI, environment } from "../product.mjs";
import { differs, finish, notWhole } from "./base.mjs";

export default {
  name: "full disks",
  share: 6,
  minimum: 60,
  async run(random, shop, folder) {
    const where = random.weighted([
      [4, "out"],
      [3, "cache"],
      [1, "tmp"],
      [2, "log"],
    ]);
    const mounts = mountsWork();
    if (!mounts)
      shop.tally.note(`full disks: mounting is not permitted here; a limit on the size of files (ulimit -f) stands in`);
    return mounts ? withMount(random, shop, folder, where) : withLimit(random, shop, folder);
  },
};

const options = () => (process.getuid() === 0 ? ["-m"] : ["-U", "-r", "-m"]);
let works;

/** Whether a tmpfs can be mounted in a namespace of our own. */
function mountsWork() {
  works ??=
    spawnSync("unshare", [...options(), "--propagation", "private", "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/mnt"])
      .status === 0 && spawnSync("nsenter", ["--version"]).status === 0;
  return works;
}

/** A mount namespace that lives as long as this object, or this process. */
class Namespace {
  static async open() {
    const holder = spawn("unshare", [...options(), "--propagation", "private", "sh", "-c", "echo ready; exec cat"], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    await new Promise((resolve, reject) => holder.stdout.once("data", resolve).once("error", reject).once("end", reject));
    return Object.assign(new Namespace(), { holder });
  }

  enter(command) {
    const { pid } = this.holder;
    return [
      "nsenter",
      [`--target=${pid}`, "--mount", ...(process.getuid() === 0 ? [] : ["--user", "--preserve-credentials"]), ...command],
    ];
  }

  mount(bytes, folder, extra = "") {
    const { status, stderr } = spawnSync(
      ...this.enter(["mount", "-t", "tmpfs", "-o", `size=${bytes}${extra}`, "tmpfs", folder]),
      { encoding: "utf8" },
    );
    if (status !== 0) throw new Error(`mount: ${stderr}`);
  }

  /** Gives a full disk room. */
  enlarge(folder) {
    this.mount("64m", folder, ",remount");
  }

  /** A path inside as it is seen from outside. */
  path(inside) {
    return `/proc/${this.holder.pid}/root${inside}`;
  }

  async close() {
    const gone = new Promise((resolve) => this.holder.once("close", resolve));
    this.holder.stdin.end();
    await gone;
  }
}

async function withMount(random, shop, folder, where) {
  const expected = await shop.baseline();
  const disk = join(folder, "disk");
  mkdirSync(disk);
  const out = join(where === "out" ? disk : folder, "out");
  const cache = join(where === "cache" ? disk : folder, "cache");
  const log = join(where === "log" ? disk : folder, "log");
  const room = { out: 400_000, cache: 1_600_000, tmp: 100_000, log: 6000 }[where];
  const bytes = Math.max(4096, Math.round(random.number() * room));
  const note = `${where} has ${bytes} bytes`;
  const namespace = await Namespace.open();
  try {
    namespace.mount(bytes, disk);
    const env = { ...environment(shop.root), ...(where === "tmp" ? { TMPDIR: disk } : {}) };
    const smaug = (args) => {
      const command =
        where === "log"
          ? ["sh", "-c", 'log=$1; shift; exec "$@" >"$log" 2>&1', "sh", log, process.execPath, CLI, ...args]
          : [process.execPath, CLI, ...args];
      return run(...namespace.enter(command), shop.options({ env }));
    };
    const outcome = await smaug(shop.train(out, cache));
    const faults = [];
    const bad = where === "log" ? logged(outcome) : judgeCommand(outcome, { codes: [0, 1, 2] });
    if (bad) faults.push({ ...bad, text: `${where}: ${bad.text}` });
    const seen = where === "out" ? namespace.path(out) : out;
    const why = notWhole(seen) ?? (outcome.code === 0 && where === "log" ? differs(seen, expected) : undefined);
    if (why) faults.push({ type: "wrong", text: `${where}: ${why.replace(/\/proc\/\d+\/root/, "")}` });
    if (faults.length > 0) return { note, inputs: 1, faults };
    namespace.enlarge(disk);
    // The same from inside: the paths are the namespace's.
    const inside = { ...shopInside(shop, namespace, env), tally: shop.tally };
    const again = await finish(inside, out, cache, expected, {}).catch((error) => ({
      type: "wrong",
      text: error.message,
    }));
    return { note, inputs: 1, faults: again ? [{ ...again, text: `${where}, with room again: ${again.text}` }] : [] };
  } finally {
    await namespace.close();
  }
}

/** Commands and files of a workshop as a namespace has them. */
function shopInside(shop, namespace, env) {
  return {
    train: (...args) => shop.train(...args),
    cli: (args) => run(...namespace.enter([process.execPath, CLI, ...args]), shop.options({ env })),
    see: (path) => namespace.path(path),
  };
}

/** A log that cannot be written never ends a run. */
function logged({ code, signal, reason, peak, seconds }) {
  if (reason !== "exited") return judgeCommand({ code, signal, reason, peak, seconds, stderr: "", stdout: "" });
  return code === 0 ? undefined : { type: "wrong", text: `a full log ended the run with ${signal ?? `exit code ${code}`}` };
}

/** Files of at most some size: writing beyond gives EFBIG. */
async function withLimit(random, shop, folder) {
  const expected = await shop.baseline();
  const [out, cache] = [join(folder, "out"), join(folder, "cache")];
  const blocks = random.integer(1, 120); // of 512 or 1024 bytes
  const note = `files have at most ${blocks} blocks`;
  const outcome = await run(
    "sh",
    [
      "-c",
      'trap "" XFSZ; ulimit -f "$1"; shift; exec "$@"',
      "sh",
      String(blocks),
      process.execPath,
      CLI,
      ...shop.train(out, cache),
    ],
    shop.options(),
  );
  const bad = judgeCommand(outcome, { codes: [0, 1, 2] });
  if (bad) return { note, inputs: 1, faults: [bad] };
  const why = notWhole(out);
  if (why) return { note, inputs: 1, faults: [{ type: "wrong", text: why }] };
  const again = await finish(shop, out, cache, expected);
  return { note, inputs: 1, faults: again ? [again] : [] };
}
