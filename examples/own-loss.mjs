/**
 * A loss of your own, declared as smaug's are: its options have defaults, ranges and types, its metric is logged, and it
 * trains like any other loss. The formula is DPOP with a squared penalty:
 *
 *   L = −log σ(β(ρ_w − ρ_l)) + λ·max(0, −ρ_w)²
 *
 * Run: node examples/own-loss.mjs MODEL PAIRS.jsonl OUTPUT_FOLDER
 */
import { declareLoss, loadModel, loadPreferences, logRatios, lora, numberOption, PreferenceTrainer } from "smaug";

export const squaredDpop = declareLoss({
  name: "squared_dpop",
  source: "this file",
  needs: ["reference"],
  options: {
    /** How strongly the policy is held to the reference. */
    beta: numberOption(0.3, "how strongly the policy is held to the reference", { above: 0 }),
    /** λ: weight of the penalty. */
    lambda: numberOption(5, "weight of the squared penalty", { min: 0 }),
  },
  formula: (logProbs, { beta, lambda }) => {
    const { chosen, rejected } = logRatios(logProbs); // ρ_w and ρ_l, one number per pair
    const penalty = chosen.neg().relu().square();
    return chosen.sub(rejected).mul(beta).logSigmoid().neg().add(penalty.mul(lambda));
  },
  metrics: {
    "squared_dpop/penalty": (logProbs) => logRatios(logProbs).chosen.neg().relu().square(),
  },
});

const [modelFolder, pairs, outputDir] = process.argv.slice(2);
if (outputDir === undefined) throw new Error("Usage: node examples/own-loss.mjs MODEL PAIRS.jsonl OUTPUT_FOLDER");

const trainer = new PreferenceTrainer({
  model: await loadModel(modelFolder, { adapter: lora({ r: 4 }) }),
  train: await loadPreferences(pairs),
  loss: squaredDpop({ lambda: 10 }),
  outputDir,
  maxSteps: 3,
});
for await (const step of trainer)
  console.log(`step ${step.step}: loss ${step.loss.toFixed(4)}, penalty ${step["squared_dpop/penalty"].toExponential(1)}`);
