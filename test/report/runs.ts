/** Folders of made-up runs. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface RunFixture {
  header?: Record<string, unknown> | null;
  steps?: number;
  /** Reward of the chosen answer over steps. */
  chosen?: (step: number) => number;
  loss?: (step: number) => number | null;
  /** Logged besides, with every step. */
  more?: Record<string, number>;
  evaluateEvery?: number;
  /** For each line and evaluation: the spread of the chosen answers' rewards and the number of pairs. Default: not logged. */
  spread?: { std: number; pairs: number; evaluationPairs?: number };
  isFinished?: boolean;
}

export const header = {
  versions: { smaug: "0.1.0", node: "v20.20.2", libtorch: "2.13.0" },
  config: { loss_type: "sigmoid", beta: 0.5, learning_rate: 5e-5, lora_target_modules: ["q_proj", "v_proj"] },
  loss: "sigmoid",
  rows: 400,
  reference_rows: 400,
  reference_computed: 0,
  step0_max_abs: 1.5e-7,
  dpop_tolerance: null,
  total_steps: 60,
};

/** What such a run logs. */
export function historyOf(options: RunFixture = {}): Record<string, number | null>[] {
  const {
    steps = 60,
    chosen = (step) => -step / 10,
    loss = () => 0.5,
    more = {},
    evaluateEvery = 0,
    spread,
    isFinished = true,
  } = options;
  const spreadOf = (prefix: string, pairs?: number) =>
    spread && pairs !== undefined
      ? { [`${prefix}rewards/chosen_std`]: spread.std, [`${prefix}rewards/chosen_pairs`]: pairs }
      : {};
  const lines: Record<string, number | null>[] = [];
  for (let step = 1; step <= steps; step++) {
    const rewards = { "rewards/chosen": chosen(step), "rewards/rejected": -step };
    const metrics = {
      ...rewards,
      "rewards/accuracies": 0.75,
      "rewards/margins": chosen(step) + step,
      "logps/chosen": -60,
      "logps/rejected": -70,
    };
    lines.push({
      loss: loss(step),
      grad_norm: 2,
      learning_rate: 5e-5,
      ...metrics,
      ...spreadOf("", spread?.pairs),
      ...more,
      epoch: step / 50,
      step,
    });
    if (evaluateEvery > 0 && step % evaluateEvery === 0)
      lines.push({
        eval_loss: 0.25,
        "eval_rewards/chosen": chosen(step) / 2,
        ...spreadOf("eval_", spread?.evaluationPairs),
        eval_runtime: 1,
        epoch: step / 50,
        step,
      });
  }
  if (isFinished) lines.push({ train_runtime: 12.34, train_loss: 0.5, epoch: steps / 50, step: steps });
  return lines;
}

/** Writes the metrics.jsonl of a run, and returns its folder. */
export function writeRun(folder: string, options: RunFixture = {}): string {
  const { header: stated = header } = options;
  const lines = [...(stated ? [stated] : []), ...historyOf(options)];
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "metrics.jsonl"), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  return folder;
}
