/** Runs a command in this process, and a tiny model for it. */
import { Command } from "commander";
import { vi } from "vitest";
import { run } from "../../src/cli/run";
import { LlamaForCausalLM, saveModel } from "../../src/models";
import { Generator } from "../../src/torch";

/** What `smaug <command> …` prints, and the exit code it ends with. */
export async function runCommand(command: Command, ...args: readonly string[]) {
  const printed = { stdout: "", stderr: "" };
  const spies = (["stdout", "stderr"] as const).map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((text) => ((printed[name] += String(text)), true)),
  );
  const before = process.exitCode;
  process.exitCode = 0;
  try {
    await run(new Command("smaug").addCommand(command), ["node", "smaug", command.name(), ...args]);
    return { status: process.exitCode as typeof process.exitCode, ...printed };
  } finally {
    process.exitCode = before;
    for (const spy of spies) spy.mockRestore();
  }
}

/** Writes a small random Llama for the tiny tokenizer; whatever it is asked, it babbles. */
export async function writeTinyLlama(
  folder: string,
  { range, positions }: { range: number; positions: number } = { range: 0.3, positions: 200 },
): Promise<void> {
  const model = new LlamaForCausalLM(
    {
      model_type: "llama",
      architectures: ["LlamaForCausalLM"],
      vocab_size: 264,
      hidden_size: 16,
      intermediate_size: 24,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      initializer_range: range,
      max_position_embeddings: positions,
    },
    { generator: new Generator().manualSeed(4) },
  );
  await saveModel(model, folder);
  model.dispose();
}
