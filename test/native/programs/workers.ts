/** The addon in worker threads: `workers.ts SCENARIO`. Workers are this file again, with the name of what they do. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import type * as Torch from "../../../src/torch";
import { report } from "../../setup/report";

/** Loaded where it is used: in one scenario only workers may load it. */
const torch = () => require("../../../src/torch") as typeof Torch;

/** The losses of a small network trained on seeded data. */
function train(seed: number, steps: number): number[] {
  const { Generator, randn, noGrad, tidy, keep } = torch();
  const generator = new Generator().manualSeed(seed);
  const draw = (...shape: number[]) => keep(randn(shape, { generator }));
  const [x, y, w, v] = [draw(32, 8), draw(32, 1), draw(8, 16).requiresGrad_(), draw(16, 1).requiresGrad_()];
  const losses: number[] = [];
  for (let i = 0; i < steps; i++)
    tidy(() => {
      const loss = x.matmul(w).tanh().matmul(v).sub(y).pow(2).mean();
      loss.backward();
      noGrad(() => {
        for (const parameter of [w, v]) {
          parameter.sub_(parameter.grad!, { alpha: 0.05 });
          parameter.grad = null;
        }
      });
      losses.push(loss.item());
    });
  for (const t of [x, y, w, v]) t.dispose();
  generator.dispose();
  return losses;
}

/** Leaves tensors of every owner alive, a graph, and reads that are under way. */
function litter(): Promise<unknown>[] {
  const { TensorScope, keep, ones, randn } = torch();
  keep(ones([1000]));
  new TensorScope();
  const x = randn([512, 512], { requiresGrad: true });
  const loss = x.matmul(x).sum();
  return [x, loss, ones([4_000_000]), ones([4_000_000]).to("bfloat16")].map((t) => t.toArrayAsync());
}

/** Calls that come back through each way out of the addon: values, arrays made in it, errors, promises. */
function spin(): void {
  const { randn, tidy } = torch();
  const x = randn([64, 64]);
  for (;;)
    tidy(() => {
      const [values] = x.max(1);
      void values.shape;
      x.matmul(x).sum().item();
      void x.toArrayAsync();
      try {
        x.matmul(randn([3, 3]));
      } catch (error) {
        void (error as { nativeStack?: string }).nativeStack;
      }
    });
}

const tasks: Record<string, () => unknown> = {
  train: () => train(3, 200),
  gradMode() {
    const { isGradEnabled, noGrad, ones } = torch();
    const before = isGradEnabled();
    const recorded = ones([1], { requiresGrad: true }).mul(2).requiresGrad;
    return { before, recorded, inside: noGrad(() => isGradEnabled()), after: isGradEnabled() };
  },
  seeded() {
    const { manualSeed, randn } = torch();
    manualSeed(11);
    return randn([3]).toList();
  },
  async litter() {
    void litter();
  },
  async readThenLitter() {
    await Promise.all(litter());
    void litter();
  },
  litterAndExit() {
    void litter();
    process.exit(7);
  },
  litterAndThrow() {
    void litter();
    throw new Error("mine");
  },
  async spin() {
    parentPort!.postMessage("spinning");
    await sleep(0);
    spin();
  },
  overflow() {
    const { ones, tidy } = torch();
    const a = ones([2, 3]);
    let calls = 0;
    const recurse = (): void => {
      try {
        recurse();
      } catch (error) {
        if (calls++ < 200) {
          try {
            tidy(() => a.matmul(a.t()).add(1).softmax(0).sum().item());
            a.mm(a);
          } catch {
            // an error of either kind is what is expected here
          }
        }
        throw error;
      }
    };
    try {
      recurse();
    } catch (error) {
      return { error: (error as Error).name, works: tidy(() => a.sum().item()) };
    }
    return undefined;
  },
  sendBuffer() {
    const { buffer } = torch().ones([3]).toArray();
    parentPort!.postMessage(buffer, [buffer as ArrayBuffer]);
  },
};

function start(task: string): Worker {
  return new Worker(__filename, { workerData: task });
}

/** What a worker returns, or the error that ended it. */
async function result(task: string): Promise<unknown> {
  const worker = start(task);
  const messages: unknown[] = [];
  const errors: string[] = [];
  worker.on("message", (message) => messages.push(message));
  worker.on("error", (error: Error) => errors.push(error.message));
  const code = await new Promise((resolve) => worker.on("exit", resolve));
  return errors.length > 0 ? { errors } : code !== 0 ? { code } : messages[0];
}

const live = () => torch().memory().live;

const scenarios: Record<string, () => Promise<unknown>> = {
  /** Three workers and the main thread train at the same time, from one seed. */
  async together() {
    const others = Promise.all([1, 2, 3].map(() => result("train")));
    await sleep(100);
    const own = train(3, 200);
    return { own, others: await others, left: live() };
  },

  async gradMode() {
    const { isGradEnabled, noGrad } = torch();
    let worker: Promise<unknown> | undefined;
    noGrad(() => void (worker = result("gradMode")));
    return { worker: await worker, main: isGradEnabled() };
  },

  /** The default generator is libtorch's own, one for the process. */
  async seeds() {
    const { manualSeed, randn } = torch();
    manualSeed(11);
    const main = randn([3]).toList();
    const worker = await result("seeded");
    const next = randn([3]).toList();
    manualSeed(11);
    randn([3]);
    return { main, worker, next, continued: randn([3]).toList() };
  },

  async teardown() {
    const before = live();
    const ends = [];
    for (const task of ["litter", "readThenLitter", "litterAndExit", "litterAndThrow"])
      ends.push((await result(task)) ?? "ended");
    return { ends, left: live() - before };
  },

  /** Ends workers, several at a time, while they load the addon and while they use it. */
  async terminate() {
    const before = live();
    const codes: number[] = [];
    for (const delay of [10, 30, 60, 200]) {
      const workers = [start("spin"), start("spin"), start("spin")];
      await Promise.all(workers.map((worker) => once(worker, "message")));
      await sleep(delay);
      codes.push(...(await Promise.all(workers.map((worker) => worker.terminate()))));
    }
    return { codes, left: live() - before, works: train(3, 5).length };
  },

  overflow: () => result("overflow"),

  async sendBuffer() {
    return [...new Float32Array((await result("sendBuffer")) as ArrayBuffer)];
  },

  /** The main thread never loads the addon, and no worker is there when the next one starts. */
  async onlyWorkers() {
    const first = (await result("train")) as number[];
    await Promise.all([result("litter"), result("litterAndExit")]);
    const last = (await result("train")) as number[];
    return {
      same: first.join() === last.join(),
      loaded: Object.keys(require.cache).some((name) => name.endsWith("src/native/binding.ts")),
    };
  },

  async inSequence() {
    const resident: number[] = [];
    for (let i = 0; i < 20; i++) {
      await result("litter");
      resident.push(process.memoryUsage().rss / 2 ** 20);
    }
    return { resident, left: live() };
  },

  /** Leaves while workers work and reads are under way: the exit code says whether that went well. */
  async exit() {
    const workers = [start("spin"), start("spin")];
    await Promise.all(workers.map((worker) => once(worker, "message")));
    void litter();
    report("leaving");
    process.exit(5);
  },
};

async function main(): Promise<void> {
  if (isMainThread) report(await scenarios[process.argv[2]!]!());
  else parentPort!.postMessage(await tasks[workerData as string]!());
}

void main();
