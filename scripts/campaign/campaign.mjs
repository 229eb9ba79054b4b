/**
 * The campaign itself: shares the time among the kinds, two children at a time, until the time is over and every kind has
 * had its least number of inputs.
 */
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { runBatch, runOnce } from "./batches.mjs";
import { run } from "./children.mjs";
import { environment, parity, product, ROOT } from "./product.mjs";
import { Random } from "./random.mjs";
import { Workshop } from "./scenarios/base.mjs";

/** What `minimum` of a kind is for. */
const MINUTES = 30;
/** Seconds that a batch is to take. */
const BATCH_SECONDS = 8;
/** Seconds that loading the library and a model takes on the machine that limits are meant for. */
const BASE_SECONDS = 1.2;
/** How much longer than asked a campaign may take to reach its least numbers. */
const OVERTIME = 1.03;

const LIMITS = { seconds: 10, bytes: 1.5 * 2 ** 30 };

/** How slow this machine is, from 1: limits of time grow with it. */
export async function measureScale(root) {
  const program = "const s=require(process.argv[1]);s.loadModel(process.argv[2]).then((m)=>m.dispose())";
  const { seconds, code, stderr } = await run(
    process.execPath,
    ["-e", program, join(ROOT, "dist", "index.js"), parity("models", "llama")],
    {
      cwd: root,
      env: environment(root),
      limits: { seconds: 120, bytes: 4 * 2 ** 30 },
    },
  );
  if (code !== 0) throw new Error(`the library does not load: ${stderr}`);
  return Math.max(1, seconds / BASE_SECONDS);
}

/**
 * Runs kinds for some minutes and fills the tally.
 *
 * @param inputs only these numbers, of the only kind, for repeating one
 */
export async function campaign(
  kinds,
  { minutes, seed, tally, root, slots = 2, scale = 1, limits = LIMITS, inputs, say = () => {}, isStopped = () => false },
) {
  const scaled = { ...limits, seconds: limits.seconds * scale };
  const shop = kinds.some((kind) => kind.run) ? new Workshop({ root, scale, limits, tally }) : undefined;
  const env = environment(root);
  const plans = kinds.map((kind) => ({
    kind,
    used: 0,
    next: 0,
    running: 0,
    perInput: undefined,
    least: Math.ceil(((kind.minimum ?? 0) * minutes) / MINUTES),
  }));
  const began = performance.now();
  const elapsed = () => (performance.now() - began) / 60_000;
  /** Inputs of a kind so far, those under way included; a scenario may have several. */
  const begun = ({ kind, next }) => Math.max(next, tally.inputs(kind.name));

  const choose = () => {
    if (isStopped()) return undefined;
    const isLate = elapsed() >= minutes;
    const open = plans.filter(
      (plan) =>
        !plan.broken &&
        (isLate ? begun(plan) < plan.least && elapsed() < minutes * OVERTIME : true) &&
        (plan.running === 0 || plan.kind.run || kinds.length < slots + 1),
    );
    const rank = ({ kind, used, running, perInput = 0 }) => (used + running * perInput) / kind.share;
    return open.sort((a, b) => rank(a) - rank(b))[0];
  };

  const work = async (plan) => {
    const { kind } = plan;
    const started = performance.now();
    const count = kind.run
      ? 1
      : Math.max(1, Math.min(kind.batch, plan.perInput ? Math.ceil(BATCH_SECONDS / plan.perInput) : Math.ceil(kind.batch / 4)));
    const numbers = inputs ?? Array.from({ length: count }, (_, i) => plan.next + i);
    plan.next += count;
    plan.running++;
    if (kind.run) await scenario(kind, numbers, { shop, seed, tally, root });
    else {
      const saved = [];
      await runBatch(kind, numbers, { seed, root, env, limits: scaled }, ({ input, note, fault, slow, again }) => {
        if (!again) tally.add(kind.name);
        if (slow && !fault) say(`${kind.name}, input ${input}: slow once, and not again alone`);
        if (fault) saved.push(report(tally, kind, seed, { input, note, fault, root, env }));
      });
      await Promise.all(saved);
    }
    const seconds = (performance.now() - started) / 1000;
    plan.used += seconds;
    plan.running--;
    plan.perInput = seconds / numbers.length;
  };

  const slot = async () => {
    for (;;) {
      const plan = choose();
      if (!plan) return;
      try {
        await work(plan);
      } catch (error) {
        plan.broken = true;
        if (!isStopped()) tally.broke(plan.kind.name, error);
      }
      if (inputs) return;
      await setImmediate();
    }
  };
  const timer = setInterval(
    () =>
      say(
        `${elapsed().toFixed(1)} of ${minutes} minutes: ${kinds.reduce((sum, { name }) => sum + tally.inputs(name), 0)} inputs, ${tally.saved.length} faults saved`,
      ),
    30_000,
  );
  try {
    await Promise.all(Array.from({ length: inputs ? 1 : slots }, slot));
  } finally {
    clearInterval(timer);
  }
  for (const plan of plans)
    if (!inputs && !plan.broken && !isStopped() && begun(plan) < plan.least)
      tally.note(`${plan.kind.name}: ${begun(plan)} of at least ${plan.least} inputs, for want of time`);
}

const quoted = (text) => product("base/files/paths.js").shellQuoted(text);
const repeat = (kind, seed, input) => `npm run campaign -- --kinds ${quoted(kind.name)} --seed ${seed} --input ${input}`;

async function scenario(kind, numbers, { shop, seed, tally, root }) {
  for (const input of numbers) {
    const folder = mkdtempSync(join(root, "scenario-"));
    try {
      const { note, inputs, faults, files } = await kind.run(new Random(seed, kind.name, input), shop, folder);
      tally.add(kind.name, inputs);
      for (const fault of faults) {
        const saved = tally.fault(kind.name, input, { note, files, ...fault }, [repeat(kind, seed, input)]);
        if (saved === undefined || !fault.command) continue;
        const command = fault.command.map((each) =>
          quoted(fault.files ? each.replaceAll(fault.files, join(saved, "input")) : each),
        );
        appendFileSync(join(saved, "how.txt"), `smaug ${command.join(" ")}\n`);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    }
  }
}

/** Counts a fault, and makes its input again to keep its files. */
async function report(tally, kind, seed, { input, note, fault, root, env }) {
  const { batch } = fault;
  const how = [repeat(kind, seed, batch ? `${batch[0]}-${batch.at(-1)}` : input)];
  const folder = tally.fault(kind.name, input, { ...fault, note }, how);
  if (folder === undefined) return;
  const keep = join(folder, "input");
  const { outcomes } = await runOnce(kind, [input], {
    seed,
    root,
    env,
    keep,
    makeOnly: true,
    limits: { seconds: 120, bytes: 8 * 2 ** 30 },
  });
  const { command } = outcomes.get(input) ?? {};
  if (command) appendFileSync(join(folder, "how.txt"), `smaug ${command.map(quoted).join(" ")}\n`);
}
