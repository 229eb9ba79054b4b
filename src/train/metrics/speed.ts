/** The speed of a run, the tokens that packing saves, and peak memory. */
import type { CausalLM } from "../../models";
import { linearLayers } from "../../nn/linear";
import { type Packing, type PackingStatistics, packingStatistics } from "../../preference";
import { type Device, deviceDescription, deviceProperties, memory } from "../../torch";

/** Dense bf16 rates in FLOP/s of devices, by a part of their names (makers' data sheets). */
const PEAKS: readonly [name: string, flops: number][] = [
  ["H100 PCIe", 756e12],
  ["H100", 989e12],
  ["H200", 989e12],
  ["A100", 312e12],
  ["L40S", 362e12],
  ["RTX 4090", 165e12],
];

export class Speedometer {
  private readonly device: Device;
  private readonly perToken: { body: number; head: number };
  private readonly peak: number | undefined;
  private since: { time: number; flops: number; packed: PackingStatistics[] } = { time: performance.now(), flops: 0, packed: [] };

  constructor(model: CausalLM) {
    this.device = model.device;
    this.perToken = flopsPerToken(model);
    const name = deviceDescription(this.device);
    this.peak = PEAKS.find(([part]) => name.includes(part))?.[1];
  }

  /** Counts the batches of a step, and returns their pairs and operations. */
  add(batches: readonly Packing[]): { pairs: number; flops: number } {
    const statistics = packingStatistics(batches);
    const flops = statistics.tokens * this.perToken.body + statistics.scoredTokens * this.perToken.head;
    this.since.flops += flops;
    this.since.packed.push(statistics);
    return { pairs: batches.reduce((sum, { pairs }) => sum + pairs.length, 0), flops };
  }

  /** The metrics since the last call. Tokens are those of both answers with their prompts, before packing. */
  read(): Record<string, number> {
    const { time, flops, packed } = this.since;
    const seconds = (performance.now() - time) / 1000;
    const sum = (name: keyof PackingStatistics) => packed.reduce((total, each) => total + each[name], 0);
    this.since = { time: performance.now(), flops: 0, packed: [] };
    return {
      "perf/tokens_per_second": sum("plainTokens") / seconds,
      "perf/prefix_sharing_saved": 1 - sum("tokens") / sum("plainTokens"),
      "perf/packing_saved": 1 - sum("plainTokens") / sum("paddedTokens"),
      "perf/tflops": flops / seconds / 1e12,
      ...(this.peak ? { "perf/mfu": flops / seconds / this.peak } : {}),
      "perf/peak_memory_gib":
        (deviceProperties(this.device).isAccelerator ? memory(this.device).peak : process.resourceUsage().maxRSS * 1024) /
        2 ** 30,
    };
  }
}

/**
 * Operations a token's matrix products take, forward and backward: 2 per weight forward, 2 for the gradient towards the
 * input, 2 more for a weight that trains. Attention's own products are small in comparison and left out.
 */
function flopsPerToken(model: CausalLM): { body: number; head: number } {
  let body = 0;
  for (const [, layer] of linearLayers(model.model)) {
    const trains = [...layer.parameters()].some(({ requiresGrad }) => requiresGrad);
    body += (trains ? 6 : 4) * layer.inFeatures * layer.outFeatures;
  }
  const { hiddenSize, vocabSize } = model.config;
  const trains = model.headWeight?.requiresGrad ?? true;
  return { body, head: (trains ? 6 : 4) * hiddenSize * vocabSize };
}
