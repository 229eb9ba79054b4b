/** A run of the trainer on a tiny model, for tests that kill it: outputDir, cache folder, whether it goes on. */
import { applyLora, lora } from "../../../src/nn";
import { dpop } from "../../../src/preference";
import { manualSeed } from "../../../src/torch";
import { PreferenceTrainer } from "../../../src/train";
import { checkpointsIn } from "../../../src/train/checkpoint/save";
import { report } from "../../setup/report";
import { tinyModel, tinyPairs } from "../tiny";

const [outputDir, referenceCache] = process.argv.slice(2) as [string, string];

async function main(): Promise<void> {
  manualSeed(42);
  const model = tinyModel();
  applyLora(model, lora({ r: 4, targetModules: "all-linear" }));
  const trainer = new PreferenceTrainer({
    model,
    train: tinyPairs(30),
    loss: dpop(),
    outputDir,
    referenceCache,
    learningRate: 1e-2,
    perDeviceTrainBatchSize: 2,
    maxSteps: 40,
    loggingSteps: 3,
    saveSteps: 2,
    saveTotalLimit: 2,
    maxTokensPerBatch: 64,
    resumeFromCheckpoint: checkpointsIn(outputDir).length > 0,
  });
  process.stdout.write("begun\n");
  await trainer.train();
  report("done");
}

void main();
