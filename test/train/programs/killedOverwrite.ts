/** A run that is to overwrite the one in a folder, and is killed after its first step: outputDir, cache folder. */
import { applyLora, lora } from "../../../src/nn";
import { PreferenceTrainer } from "../../../src/train";
import { tinyModel, tinyPairs } from "../tiny";

const [outputDir, referenceCache] = process.argv.slice(2) as [string, string];

async function main(): Promise<void> {
  const model = tinyModel();
  applyLora(model, lora({ r: 4 }));
  const trainer = new PreferenceTrainer({
    model,
    train: tinyPairs(4),
    outputDir,
    referenceCache,
    overwriteOutputDir: true,
    loggingSteps: 1,
  });
  for await (const _ of trainer) process.kill(process.pid, "SIGKILL");
}

void main();
