/** All kinds of input: those that run in a process, many in one child, and scenarios, which start commands themselves. */
import { fileURLToPath } from "node:url";
import checkpoints from "./scenarios/checkpoints.mjs";
import commands, { trainingSettings } from "./scenarios/commands.mjs";
import concurrent from "./scenarios/concurrent.mjs";
import fullDisks from "./scenarios/fullDisks.mjs";
import kills from "./scenarios/kills.mjs";
import signals from "./scenarios/signals.mjs";
import store from "./scenarios/store.mjs";
import streams from "./scenarios/streams.mjs";

const IN_PROCESS = [
  "modelConfigs",
  "safetensors",
  "weightIndexes",
  "gguf",
  "tokenizers",
  "adapters",
  "jsonl",
  "json",
  "gz",
  "parquet",
  "yaml",
  "tasks",
  "reports",
  "settings",
  "archives",
  "operators",
];

/**
 * A kind whose inputs run in a worker, from its module.
 *
 * @public test/e2e/campaign.test.ts calls it
 */
export async function inProcess(module) {
  const { default: kind } = await import(module);
  return { ...kind, module };
}

export async function allKinds() {
  const kinds = await Promise.all(
    IN_PROCESS.map((name) => inProcess(fileURLToPath(new URL(`kinds/${name}.mjs`, import.meta.url)))),
  );
  const onCommandLine = kinds.filter(({ name }) => name !== "operators" && name !== "setup archives");
  return [
    ...kinds,
    commands(onCommandLine),
    trainingSettings,
    checkpoints,
    store,
    kills,
    signals,
    fullDisks,
    streams,
    concurrent,
  ];
}
