import { expect, test } from "vitest";
import type { LogLine, TrainingStep } from "../../src";

/** Compiled, not run: only the marked lines fail to compile. */
test("names of metrics are checked by the compiler", () => {
  const read = (step: TrainingStep, line: LogLine) => {
    const always: number[] = [step.step, step.epoch, step.learning_rate, step.loss, step.grad_norm, step["rewards/margins"]];
    const sometimes: (number | undefined)[] = [
      step["dpop/penalty_mean"],
      step["rewards/chosen_std"],
      step["token_logratios/chosen_after_macro"],
      step.nll_loss,
      step.logged?.["rewards/chosen"],
      step.logged?.["perf/tokens_per_second"],
      line["eval_rewards/chosen"],
      line["eval_rewards/chosen_pairs"],
      line.eval_runtime,
      line.train_runtime,
      line["logits/rejected"],
    ];
    // @ts-expect-error: a misspelt metric
    step["rewards/marginz"];
    // @ts-expect-error: an evaluation metric, which only evaluation lines have
    step["eval_rewards/margins"];
    // @ts-expect-error: measured on logged steps only, so it may be missing
    const entropy: number = step.entropy;
    // @ts-expect-error: a misspelt metric in a logged line
    step.logged?.["rewards/marginz"];
    // @ts-expect-error: a misspelt metric of an evaluation
    line["eval_rewards/marginz"];
    // @ts-expect-error: no such stage
    line["token_logps/chosen_later"];
    // Metrics of a custom loss are read through another type, without a cast.
    const own: Readonly<Record<string, unknown>> = step;
    const ownLine: Readonly<Record<string, number | undefined>> = line;
    return [always, sometimes, entropy, own["mine/bonus"], ownLine["mine/bonus"]];
  };
  expect(read).toBeTypeOf("function");
});
