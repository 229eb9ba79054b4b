/** What garbage collection does for tensors that nobody disposes: `node --expose-gc`. */
import { setImmediate as turn } from "node:timers/promises";
import { memory, ones, type Tensor, TensorScope } from "../../../src/torch";
import { report } from "../../setup/report";

const collect = (globalThis as unknown as { gc: () => void }).gc;

const warnings: string[] = [];
process.removeAllListeners("warning");
process.on("warning", (warning) => warnings.push(warning.name === "TensorLeakWarning" ? warning.message : String(warning)));

const start = memory();

function used(): { live: number; tensors: number } {
  const { live, tensors } = memory();
  return { live: live - start.live, tensors: tensors - start.tensors };
}

/** Collects until nothing is left, a second at most. */
async function settle(): Promise<{ live: number; tensors: number }> {
  for (let i = 0; i < 50 && used().tensors > 0; i++) {
    collect();
    await turn();
  }
  return used();
}

function drop(count: number): void {
  for (let i = 0; i < count; i++) ones([8]);
}

async function forgetScopes(): Promise<Tensor> {
  const scopes = Array.from({ length: 10 }, () => {
    const scope = new TensorScope();
    ones([8]);
    return scope;
  });
  await turn();
  return scopes[0]!.run(() => ones([8]));
}

async function main(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    drop(40_000);
    await turn();
  }
  drop(120_000);
  await turn();
  drop(120_000);
  const dropped = await settle();

  // A scope that is never disposed leaks nothing, and frees nothing that is in use.
  const survivor = await forgetScopes();
  for (let i = 0; i < 5; i++) {
    collect();
    await turn();
  }
  const kept = survivor.toList().toString() === "1,1,1,1,1,1,1,1";
  survivor.dispose();
  const scoped = await settle();
  report({ dropped, scoped, kept, warnings });
}

void main();
